"""The S3 lake: what the sink connector has landed, and the dead letters that ingestion leaves there."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from pinterest_pipeline.common.aws_errors import AwsService
from pinterest_pipeline.common.aws_hook import BoundedAwsHook
from pinterest_pipeline.common.errors import PermanentError, PipelineError
from pinterest_pipeline.lake.landing import Target, last_offset, newest_objects

KEYS_PER_PAGE = 1000  # S3 service limit
NO_BUCKET = "create the bucket, or correct `bucket` in the Variable pinterest_pipeline"
S3 = AwsService(
    "S3",
    remedies={
        "NoSuchBucket": NO_BUCKET,
        "404": NO_BUCKET,
        "AccessDenied": "let the role of the AWS connection list, read and write the bucket",
        "ExpiredToken": "renew the credentials of the AWS connection",
        "InvalidAccessKeyId": "correct the credentials of the AWS connection",
    },
)


class LakeHook(BoundedAwsHook, S3Hook):
    """Reads and writes the lake through a connection of type ``aws``.

    :param bucket: Bucket of the lake; it must exist.
    """

    def __init__(self, bucket: str, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(aws_conn_id=aws_conn_id, **kwargs)
        self.bucket = bucket

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether the bucket is there and may be listed; one request."""
        try:
            with S3.calling(f"listing s3://{self.bucket}"):
                self.get_conn().list_objects_v2(Bucket=self.bucket, MaxKeys=1)
        except PipelineError as error:
            return False, str(error)
        return True, f"s3://{self.bucket} is there and may be listed"

    def landed_offsets(self, topics_dir: str, targets: Iterable[Target]) -> dict[str, dict[int, int]]:
        """Return the last offset in the lake of each awaited topic and partition that has an object.

        Costs one LIST per 1,000 objects since the target's day, and one GET per partition.

        :raises PermanentError: missing bucket, refused access, an object that the sink did not write.
        :raises TransientError: S3 did not answer, or asked us to slow down.
        """
        try:
            with S3.calling(f"looking for landed records in s3://{self.bucket}/{topics_dir}"):
                return {target.topic: self._landed_offsets_of(topics_dir, target) for target in targets}
        except ValueError as error:
            raise PermanentError(str(error)) from error

    def _landed_offsets_of(self, topics_dir: str, target: Target) -> dict[int, int]:
        prefix = f"{topics_dir}/{target.topic}/dt="
        newest = newest_objects(self._keys(prefix, start_after=prefix + target.since), target.topic)
        return {
            partition: last_offset(self._content(newest[partition]), newest[partition])
            for partition in target.last_offsets
            if partition in newest
        }

    def _keys(self, prefix: str, *, start_after: str) -> Iterable[str]:
        pages = self.get_conn().get_paginator("list_objects_v2")
        for page in pages.paginate(
            Bucket=self.bucket, Prefix=prefix, StartAfter=start_after, PaginationConfig={"PageSize": KEYS_PER_PAGE}
        ):
            yield from (entry["Key"] for entry in page.get("Contents", ()))

    def _content(self, key: str) -> bytes:
        content: bytes = self.get_conn().get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return gzip.decompress(content) if key.endswith(".gz") else content

    def write_json_lines(self, key: str, rows: Sequence[Mapping[str, Any]]) -> str:
        """Write one object with a JSON line per row, replacing one of the same name; return its URI."""
        body = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
        uri = f"s3://{self.bucket}/{key}"
        with S3.calling(f"writing {uri}"):
            self.get_conn().put_object(
                Bucket=self.bucket, Key=key, Body=body.encode(), ContentType="application/x-ndjson"
            )
        return uri

    def read_json_lines(self, key: str) -> list[dict[str, Any]]:
        """Return the rows of an object that :meth:`write_json_lines` wrote; none where there is no such object."""
        client = self.get_conn()
        with S3.calling(f"reading s3://{self.bucket}/{key}"):
            try:
                body = client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except client.exceptions.NoSuchKey:
                return []
        return [json.loads(line) for line in body.splitlines()]

    def names(self, prefix: str) -> list[str]:
        """Return the keys of all objects whose key begins so; one LIST per 1,000 of them."""
        with S3.calling(f"listing s3://{self.bucket}/{prefix}*"):
            return list(self._keys(prefix, start_after=""))

    def move(self, key: str, new_key: str) -> None:
        """Give an object another key."""
        client = self.get_conn()
        with S3.calling(f"moving s3://{self.bucket}/{key} to {new_key}"):
            client.copy_object(Bucket=self.bucket, CopySource={"Bucket": self.bucket, "Key": key}, Key=new_key)
            client.delete_object(Bucket=self.bucket, Key=key)
