"""The lake's bucket, and the bucket that MWAA reads its bundle from."""

from typing import Any

from aws_cdk import App, Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from infra.aws.parts import PipelineStack, retain, sub
from infra.aws.policies import DEPLOYMENT_BUCKET, LAKE_BUCKET

NONCURRENT_DAYS = 30  # how long a deleted or overwritten object can be brought back
UPLOAD_DAYS = 7  # an upload that a connector's task left behind
PROGRESS_DAYS = 7  # of sends that failed; their next try comes within a day


class Lake(PipelineStack):
    """Two buckets: private, versioned, encrypted, TLS only, and left standing when the stack is deleted."""

    def __init__(self, app: App) -> None:
        super().__init__(app, "lake", "The lake, and the bucket of MWAA's bundle")
        progress = s3.CfnBucket.RuleProperty(
            id="progress", status="Enabled", prefix="progress/", expiration_in_days=PROGRESS_DAYS
        )
        for key, name, rules in (("Lake", LAKE_BUCKET, [progress]), ("Deployment", DEPLOYMENT_BUCKET, [])):
            bucket = self.bucket(key, name, rules)
            self.share({f"{key}Bucket": bucket.ref})
        self.accept(
            {"AwsSolutions-S1": "Data events of CloudTrail name the caller as well; access logs would double the puts."}
        )

    def bucket(self, key: str, name: str, rules: list[Any]) -> s3.CfnBucket:
        every = s3.CfnBucket.RuleProperty(
            id="leftovers", status="Enabled",
            abort_incomplete_multipart_upload={"daysAfterInitiation": UPLOAD_DAYS},
            noncurrent_version_expiration={"noncurrentDays": NONCURRENT_DAYS},
        )  # fmt: skip
        bucket = s3.CfnBucket(
            self, key,
            bucket_name=sub(name),
            versioning_configuration={"status": "Enabled"},
            public_access_block_configuration={
                "blockPublicAcls": True, "blockPublicPolicy": True,
                "ignorePublicAcls": True, "restrictPublicBuckets": True,
            },
            bucket_encryption={
                "serverSideEncryptionConfiguration": [
                    {"serverSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
                ]
            },
            ownership_controls={"rules": [{"objectOwnership": "BucketOwnerEnforced"}]},
            lifecycle_configuration={"rules": [every, *rules]},
        )  # fmt: skip
        retain(bucket)
        tls_only = iam.PolicyStatement(
            sid="TlsOnly", effect=iam.Effect.DENY, actions=["s3:*"], principals=[iam.AnyPrincipal()],
            resources=[bucket.attr_arn, Fn.join("", [bucket.attr_arn, "/*"])],
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        )  # fmt: skip
        s3.CfnBucketPolicy(
            self, f"{key}Policy", bucket=bucket.ref, policy_document=iam.PolicyDocument(statements=[tls_only])
        )
        return bucket
