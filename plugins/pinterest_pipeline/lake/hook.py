"""The S3 lake: what the sink connector has landed, and the dead letters that ingestion leaves there."""

import gzip
import io
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import IO, Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from pinterest_pipeline.common.aws_errors import AwsService
from pinterest_pipeline.common.aws_hook import BoundedAwsHook
from pinterest_pipeline.common.errors import PermanentError, PipelineError
from pinterest_pipeline.lake.generations import TOPICS_DIR, newest
from pinterest_pipeline.lake.landing import Landing
from pinterest_pipeline.lake.objects import last_offset, require_readable, sink_objects

KEYS_PER_PAGE = 1000  # S3 service limit
NEWEST_DAYS = 2  # folders in which the last offset of a partition is looked for: a rotation may span midnight
NO_BUCKET = "create the bucket, or correct `bucket` in the Variable pinterest_pipeline"
S3 = AwsService(
    "S3",
    remedies={
        "NoSuchBucket": NO_BUCKET,
        "404": NO_BUCKET,
        "AccessDenied": "let the role of the AWS connection list, read and write the bucket",
        "ExpiredToken": "renew the credentials of the AWS connection",
        "InvalidAccessKeyId": "correct the credentials of the AWS connection",
        "InvalidObjectState": "restore the object from its archive",
    },
    races=frozenset({"NoSuchKey"}),  # it was listed a moment ago
)
S3_OF_OTHERS = AwsService(
    "S3",
    remedies={
        **S3.remedies,
        "NoSuchKey": "correct the URI: there is no such object",
        "NoSuchBucket": "correct the URI: there is no such bucket",
        "AccessDenied": "let the role read the object; without s3:ListBucket S3 says so of a missing one, too",
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

    def update_landing(self, topics_dir: str, landing: Landing) -> None:
        """Bring what a landing knows up to date.

        Costs one LIST per 1,000 objects since the target's day, and one GET for each object that was written since the
        sending began and may hold what is missing; an object is read once in the landing's life.

        :raises PermanentError: missing bucket, refused access; an object that is not the sink's, or of an older
            generation.
        :raises TransientError: S3 did not answer, or asked us to slow down.
        """
        target = landing.target
        prefix = f"{topics_dir}/{target.topic}/dt="
        objects = sink_objects(self._entries(prefix, start_after=prefix + target.since), target.topic)
        try:
            landing.take(objects, self._lines)
        except ValueError as error:
            raise PermanentError(f"s3://{self.bucket}: {error}") from error

    def last_landed(self, topics_dir: str, topic: str) -> dict[int, tuple[int, str]]:
        """Return the last offset in the lake, and its object's key, of the partitions in the newest folders of a topic.

        Costs one LIST per 1,000 days, one per 1,000 objects of the newest two, and up to two GETs per partition.

        :raises PermanentError, TransientError: as :meth:`update_landing`.
        """
        prefix = f"{topics_dir}/{topic}/dt="
        objects = [
            one
            for folder in self._folders(prefix)[-NEWEST_DAYS:]
            for one in sink_objects(self._entries(folder, start_after=folder), topic)
        ]
        found: dict[int, tuple[int, str]] = {}
        try:
            for partition, some in newest(objects).items():
                for one in some:
                    require_readable(one)
                found[partition] = max((last_offset(self._lines(one.key), one.key), one.key) for one in some)
        except ValueError as error:
            raise PermanentError(f"s3://{self.bucket}: {error}") from error
        return found

    def _pages(self, prefix: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        with S3.calling(f"listing s3://{self.bucket}/{prefix}"):
            pages = self.get_conn().get_paginator("list_objects_v2")
            yield from pages.paginate(
                Bucket=self.bucket, Prefix=prefix, PaginationConfig={"PageSize": KEYS_PER_PAGE}, **arguments
            )

    def _entries(self, prefix: str, *, start_after: str = "") -> Iterator[Mapping[str, Any]]:
        for page in self._pages(prefix, StartAfter=start_after):
            yield from page.get("Contents", ())

    def _folders(self, prefix: str) -> list[str]:
        pages = self._pages(prefix, Delimiter="/")
        return sorted(found["Prefix"] for page in pages for found in page.get("CommonPrefixes", ()))

    def _lines(self, key: str) -> Iterator[bytes]:
        with S3.calling(f"reading s3://{self.bucket}/{key}"):
            content = io.BytesIO(self.get_conn().get_object(Bucket=self.bucket, Key=key)["Body"].read())
        remedy = "delete it and let the connector write it again, or send the day again"
        return self._unpacked(key, content, remedy)

    def spooled_lines(self, key: str) -> Iterator[bytes]:
        """Yield the lines of an object of any size: it is on disk before the first, so that a reader may take its time.

        :raises PermanentError: No such object, refused access, or what ends in ``.gz`` is no gzip.
        """
        with tempfile.TemporaryFile() as file:
            with S3_OF_OTHERS.calling(f"reading s3://{self.bucket}/{key}"):
                shutil.copyfileobj(self.get_conn().get_object(Bucket=self.bucket, Key=key)["Body"], file)
            file.seek(0)
            yield from self._unpacked(key, file, "write it again")

    def _unpacked(self, key: str, content: IO[bytes], remedy: str) -> Iterator[bytes]:
        try:
            yield from gzip.GzipFile(fileobj=content) if key.endswith(".gz") else content
        except (OSError, EOFError, zlib.error) as error:
            raise PermanentError(f"s3://{self.bucket}/{key} cannot be read ({error}): {remedy}") from error

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

    def has_object(self, source_file: str) -> bool:
        """Tell whether there is the object that bronze names so, below or from ``topics…/`` on; one LIST."""
        key = source_file if source_file.startswith(f"{TOPICS_DIR}-") else f"{TOPICS_DIR}/{source_file}"
        return key in self.names(key)

    def written_since(self, prefix: str, since: datetime | None) -> list[str]:
        """Return the keys of the objects that were written then or later, oldest first; one LIST per 1,000 objects."""
        found = [
            (entry["LastModified"], entry["Key"])
            for entry in self._entries(prefix)
            if since is None or entry["LastModified"] >= since
        ]
        return [key for _, key in sorted(found)]

    def names(self, prefix: str) -> list[str]:
        """Return the keys of all objects whose key begins so; one LIST per 1,000 of them."""
        return [entry["Key"] for entry in self._entries(prefix)]

    def move(self, key: str, new_key: str) -> None:
        """Give an object another key."""
        client = self.get_conn()
        with S3.calling(f"moving s3://{self.bucket}/{key} to {new_key}"):
            client.copy_object(Bucket=self.bucket, CopySource={"Bucket": self.bucket, "Key": key}, Key=new_key)
            client.delete_object(Bucket=self.bucket, Key=key)
