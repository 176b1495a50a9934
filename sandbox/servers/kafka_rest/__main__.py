"""Run the Kafka REST proxy on loopback: ``python -m sandbox.servers.kafka_rest``."""

import os

import uvicorn

from sandbox.servers.kafka_rest.app import create_app


def main() -> None:
    app = create_app(os.environ["KAFKA_REST_BOOTSTRAP_SERVERS"], int(os.environ["KAFKA_REST_MAX_REQUEST_BYTES"]))
    uvicorn.run(
        app,
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
