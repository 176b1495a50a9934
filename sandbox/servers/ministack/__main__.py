"""Run ministack with a check of every request before it: ``python -m sandbox.servers.ministack``."""

import os

import ministack.app

from sandbox.run.access.pages import RefusePages
from sandbox.run.access.signatures import RequireSignature

GATEWAY = "/_aws/execute-api/"  # has API keys
HEALTH = "/_ministack/health"


def main() -> None:
    signed = RequireSignature(
        ministack.app.app, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], (GATEWAY, HEALTH)
    )
    ministack.app.app = RefusePages(signed)
    ministack.app.main()


if __name__ == "__main__":
    main()
