"""Run the Kafka REST proxy on loopback: ``python -m sandbox.servers.kafka_rest``."""

import json
import os

import uvicorn

from sandbox.run.access.keys import RequireKey
from sandbox.run.access.pages import RefusePages
from sandbox.servers.kafka_rest.app import create_app


def main() -> None:
    client = json.loads(os.environ["KAFKA_REST_KAFKA_CLIENT"])
    app = create_app(client, int(os.environ["KAFKA_REST_MAX_REQUEST_BYTES"]))
    uvicorn.run(
        RefusePages(RequireKey(app, os.environ["KAFKA_REST_GATEWAY_KEY"])),
        host="127.0.0.1",
        port=int(os.environ["KAFKA_REST_PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=20,
    )


if __name__ == "__main__":
    main()
