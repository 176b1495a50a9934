"""Run ministack with a check of every request before it: ``python -m sandbox.servers.ministack``."""

import os
from pathlib import Path

import ministack.app
from ministack.core.persistence import save_all

from sandbox.run.access.pages import RefusePages
from sandbox.run.access.signatures import RequireSignature
from sandbox.run.disk import MIN_FREE_BYTES
from sandbox.servers.ministack import STATE_FILES
from sandbox.servers.ministack.durable import Durable

GATEWAY = "/_aws/execute-api/"  # has API keys
HEALTH = "/_ministack/health"


METRICS = "cloudwatch"  # kept only where ministack is stopped in good order


def save() -> None:
    """Write the settings of buckets, the secrets and the APIs, as ministack does when it is stopped."""
    states = ministack.app._build_persistence_save_dict()
    save_all({name: states[name] for name in STATE_FILES - {METRICS} if name in states})


def main() -> None:
    min_free = int(os.environ.get("MIN_FREE_BYTES", MIN_FREE_BYTES))
    durable = Durable(ministack.app.app, Path(os.environ["S3_DATA_DIR"]), save, min_free)
    signed = RequireSignature(
        durable, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], (GATEWAY, HEALTH)
    )
    ministack.app.app = RefusePages(signed)
    ministack.app.main()


if __name__ == "__main__":
    main()
