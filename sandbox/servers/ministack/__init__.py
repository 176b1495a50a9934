"""ministack: S3, Secrets Manager, CloudWatch and API Gateway on one loopback port."""

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.run.disk import MIN_FREE_BYTES
from sandbox.run.server import Server, http_get
from sandbox.run.settings import BUCKET, REGION, Settings

BESIDE_MINISTACK = {"kafkaconnect": "msk_connect", "kinesis": "kinesis"}  # services with a server of their own
DEPLOY_BUCKET = "demo"  # as MWAA's: it keeps versions; `make deploy BUCKET=demo`
WAREHOUSE_URL_NAME = "pinterest/warehouse_url"  # in Secrets Manager
# ministack knows about 80 services. One of them runs code as the user, and any web page can reach this port.
SERVICES = ("apigateway", "monitoring", "s3", "secretsmanager")
STATE_FILES = {"apigateway", "apigateway_v1", "cloudwatch", "s3", "secretsmanager"}  # what these services restore


def server(settings: Settings) -> Server:
    folder = settings.folder("ministack")
    return Server(
        name="ministack",
        command=(sys.executable, "-m", "sandbox.servers.ministack"),
        environment={
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(settings.ports["ministack"]),
            "MINISTACK_REGION": REGION,
            "SERVICES": ",".join(SERVICES),
            "STATE_DIR": str(settings.folder("ministack", "state")),
            "S3_DATA_DIR": str(settings.folder("ministack", "s3")),
            "TMPDIR": str(settings.folder("ministack", "tmp")),
            "S3_PERSIST": "1",
            "PERSIST_STATE": "1",
            "MIN_FREE_BYTES": str(MIN_FREE_BYTES),
            "LOG_LEVEL": "WARNING",
            "IOT_MTLS_ENABLED": "0",  # else it opens 8883 on every interface
            "SFTP_ENABLED": "0",
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "AWS_ACCESS_KEY_ID": settings.secrets["aws_access_key_id"],  # what requests must be signed with
            "AWS_SECRET_ACCESS_KEY": settings.secrets["aws_secret_access_key"],
        },
        is_ready=lambda: answers(f"{settings.url('ministack')}/_ministack/health"),
        prepare=lambda: remove_foreign_state(settings.folder("ministack", "state")),
        provision=lambda: create_resources(settings),
    )


def remove_foreign_state(folder: Path) -> None:
    """Delete the state of services that are not served: ministack restores any state file that it finds."""
    for file in folder.glob("*.json"):
        if file.stem not in STATE_FILES:
            file.unlink()


def answers(url: str) -> bool:
    """Whether anything speaks HTTP there; the status does not matter."""
    http_get(url)
    return True


def client(settings: Settings, service: str) -> Any:
    """Return a boto3 client of this sandbox, whatever the caller's environment says."""
    return boto3.client(
        service,
        endpoint_url=settings.url(BESIDE_MINISTACK.get(service, "ministack")),
        region_name=REGION,
        aws_access_key_id=settings.secrets["aws_access_key_id"],
        aws_secret_access_key=settings.secrets["aws_secret_access_key"],
        config=Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 5, "mode": "standard"},
            s3={"addressing_style": "path"},
        ),
    )


def create_resources(settings: Settings) -> None:
    """The lake's bucket, one to deploy to, and the warehouse's URL as a secret for clients that read it from there."""
    s3 = client(settings, "s3")
    for bucket in {BUCKET, DEPLOY_BUCKET} - {bucket["Name"] for bucket in s3.list_buckets().get("Buckets", [])}:
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=DEPLOY_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    secrets_manager = client(settings, "secretsmanager")
    value = json.dumps({"url": settings.postgres_url("pinterest_warehouse")})
    try:
        secrets_manager.create_secret(Name=WAREHOUSE_URL_NAME, SecretString=value)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        secrets_manager.put_secret_value(SecretId=WAREHOUSE_URL_NAME, SecretString=value)
