"""On a small file system of a test's own: what S3 and Kinesis acknowledge outlives a kill; a full disk is refused."""

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.run.settings import REGION, Settings
from sandbox.run.supervision import Supervision
from sandbox.servers import kinesis, ministack
from tests.support.kinesis import client_of, create, put, texts_in
from tests.support.waiting import wait_until

MEBIBYTE = 1024 * 1024
MIN_FREE_BYTES = 3 * MEBIBYTE
LARGEST_FILE = 2 * MEBIBYTE
LIMITED = ("/bin/sh", "-c", f'ulimit -f {LARGEST_FILE // 512}; exec "$@"', "sh")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this user cannot mount a small file system: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def supervised(tmp_path, monkeypatch, small_disk):
    """Return a function that starts a server whose state is on the small disk; it returns one that kills it."""
    monkeypatch.setenv("PINTEREST_SANDBOX_PORTS", "any")
    settings = Settings.load_or_create(tmp_path / "home")
    supervision = Supervision(settings)

    def start(module, *folders, wrapped=()):
        usual = module.server(settings)
        places = {name: str(small_disk / name) for name in folders}
        for place in places.values():
            Path(place).mkdir()
        environment = {**usual.environment, **places, "MIN_FREE_BYTES": str(MIN_FREE_BYTES)}
        server = replace(usual, environment=environment, command=(*wrapped, *usual.command))
        supervision.ensure_alive([server])
        supervision.start(server)

        def pid():
            return int((supervision.pids / f"{server.name}.pid").read_text())

        def wait_for_another(old):
            wait_until(lambda: pid() != old, 60, f"{server.name} is started again")
            supervision.wait_ready(server)

        def kill():
            os.kill(old := pid(), signal.SIGKILL)
            wait_for_another(old)

        return settings, pid, wait_for_another, kill

    yield start
    supervision.stop_all()


def test_s3_acknowledges_no_object_that_it_does_not_keep(supervised, small_disk):
    settings, pid, wait_for_another, kill = supervised(ministack, "S3_DATA_DIR", "STATE_DIR", wrapped=LIMITED)
    s3 = ministack.client(settings, "s3")
    once = boto3.client(
        "s3",
        endpoint_url=settings.url("ministack"),
        region_name=REGION,
        aws_access_key_id=settings.secrets["aws_access_key_id"],
        aws_secret_access_key=settings.secrets["aws_secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )

    def put_object(key, size):
        once.put_object(Bucket="pinterest-lake", Key=key, Body=key.encode() * (size // len(key)))

    def stored():
        found = s3.list_objects_v2(Bucket="pinterest-lake").get("Contents", ())
        return {entry["Key"]: entry["Size"] for entry in found}

    put_object("small", 1000)
    first = pid()
    with pytest.raises(BotoCoreError):  # the file system takes no such file, and the server ends without an answer
        put_object("large", LARGEST_FILE + 1000)
    wait_for_another(first)
    assert stored() == {"small": 1000}

    acknowledged = stored()

    def fill():
        for number in range(100, 200):
            put_object(f"fill-{number}", MEBIBYTE // 2)
            acknowledged[f"fill-{number}"] = MEBIBYTE // 2 // 8 * 8

    with pytest.raises(ClientError, match=f"The disk of {small_disk}/S3_DATA_DIR is nearly full") as refused:
        fill()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert len(acknowledged) > 3

    kill()

    assert stored() == acknowledged
    assert s3.get_object(Bucket="pinterest-lake", Key="fill-101")["Body"].read(16) == b"fill-101fill-101"
    s3.delete_object(Bucket="pinterest-lake", Key="fill-100")
    s3.delete_objects(Bucket="pinterest-lake", Delete={"Objects": [{"Key": "fill-101"}]})
    put_object("small", MEBIBYTE // 2)
    assert stored() == {name: size for name, size in acknowledged.items() if name not in {"fill-100", "fill-101"}} | {
        "small": MEBIBYTE // 2 // 5 * 5
    }


def test_kinesis_acknowledges_no_record_that_it_does_not_keep(supervised):
    settings, _, _, kill = supervised(kinesis, "PERSIST_PATH")
    client = client_of(settings.aws_environment)
    stream = create(client)
    acknowledged = []

    def fill():
        for number in range(200):
            put(client, stream, [f"{number:03}-{index:03}-{'x' * 200}" for index in range(500)])
            acknowledged.append(number)

    with pytest.raises(ClientError, match=r"InternalFailure.*The disk of .* is nearly full"):
        fill()
    assert len(acknowledged) > 3

    kill()

    assert [text[:7] for text in texts_in(client, stream)] == [
        f"{number:03}-{index:03}" for number in acknowledged for index in range(500)
    ]
