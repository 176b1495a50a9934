"""The bucket of an MWAA environment, by the few calls that a deploy makes; each bounded in time and in attempts."""

import json
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploy.errors import DeployError
from deploy.upload_plan import Uploaded

CONFIG = Config(connect_timeout=10, read_timeout=120, retries={"max_attempts": 5, "mode": "standard"})
PAGE_SIZE = 1000  # S3 service limit of ListObjectsV2
REMEDIES = {
    "NoSuchBucket": "there is no such bucket in this account: check BUCKET, or create it in the environment's region",
    "AccessDenied": "the caller may not do that: docs/deploy-mwaa.md lists the IAM actions",
    "403": "the caller may not do that: docs/deploy-mwaa.md lists the IAM actions",
    "InvalidAccessKeyId": "S3 does not know the access key: renew the credentials",
    "ExpiredToken": "the session has ended: renew the credentials",
    "PermanentRedirect": "the bucket is in another region: set AWS_REGION to its own",
}


class Bucket:
    """One bucket below one prefix; names are relative to the prefix."""

    def __init__(self, name: str, prefix: str) -> None:
        self.name = name
        self.prefix = prefix
        self.client = boto3.client("s3", config=CONFIG)

    def call(self, operation: str, **arguments: Any) -> Any:
        """Call S3 for this bucket.

        :raises DeployError: naming the bucket, the call and the remedy.
        """
        try:
            return getattr(self.client, operation)(Bucket=self.name, **arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            remedy = REMEDIES.get(code, error.response["Error"].get("Message", ""))
            raise DeployError(f"s3://{self.name}: {operation} was answered with {code}: {remedy}.") from error
        except BotoCoreError as error:
            raise DeployError(
                f"s3://{self.name}: {operation} could not be sent ({error}): give credentials and AWS_REGION "
                '(for the sandbox: eval "$(make -s env)").'
            ) from error

    def demand_versions(self) -> None:
        """MWAA takes plugins, requirements and startup script by object version only.

        :raises DeployError: when the bucket keeps none.
        """
        if self.call("get_bucket_versioning").get("Status") != "Enabled":
            raise DeployError(
                f"s3://{self.name} keeps no versions, and MWAA needs them: aws s3api put-bucket-versioning "
                f"--bucket {self.name} --versioning-configuration Status=Enabled"
            )

    def etags(self) -> dict[str, str]:
        """Return the ETag of every object below the prefix, by name."""
        found: dict[str, str] = {}
        more: dict[str, str] = {}
        while True:
            page = self.call("list_objects_v2", Prefix=self.prefix, MaxKeys=PAGE_SIZE, **more)
            found |= {o["Key"].removeprefix(self.prefix): o["ETag"] for o in page.get("Contents", [])}
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def read_record(self, name: str) -> dict[str, Uploaded]:
        """Return what the last upload recorded, nothing where it recorded nothing that can be read."""
        body = self.call("get_object", Key=self.prefix + name)["Body"].read()
        try:
            files = json.loads(body)["files"]
            return {file: Uploaded(**entry) for file, entry in files.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def upload(self, name: str, file: Path, sha256: str) -> Uploaded:
        """Put a file, and return what S3 made of it."""
        with file.open("rb") as body:
            done = self.call("put_object", Key=self.prefix + name, Body=body, Metadata={"sha256": sha256})
        return Uploaded(sha256, done["ETag"], done["VersionId"])

    def look_at(self, name: str) -> Uploaded:
        """Return what lies there now; its checksum is empty unless a deploy put it."""
        found = self.call("head_object", Key=self.prefix + name)
        return Uploaded(found.get("Metadata", {}).get("sha256", ""), found["ETag"], found["VersionId"])

    def delete(self, name: str) -> None:
        """Mark as deleted; the bucket keeps the older versions."""
        self.call("delete_object", Key=self.prefix + name)

    def write_record(self, name: str, content: dict[str, Any]) -> None:
        body = json.dumps(content, indent=2, sort_keys=True).encode()
        self.call("put_object", Key=self.prefix + name, Body=body, ContentType="application/json")
