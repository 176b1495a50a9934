"""Run the MSK Connect API on loopback: ``python -m sandbox.servers.msk_connect``."""

import json
import os
from pathlib import Path

import uvicorn

from sandbox.run.access.pages import RefusePages
from sandbox.run.access.signatures import RequireSignature
from sandbox.servers.msk_connect.api import create_app


def main() -> None:
    app = create_app(
        Path(os.environ["MSK_CONNECT_STATE_DIR"]),
        os.environ["MSK_CONNECT_WORKER_URL"],
        json.loads(os.environ["MSK_CONNECT_KAFKA_CLIENT"]),
    )
    keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    uvicorn.run(
        RefusePages(RequireSignature(app, *keys)),
        host="127.0.0.1",
        port=int(os.environ["MSK_CONNECT_PORT"]),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
