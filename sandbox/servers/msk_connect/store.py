"""What the service remembers, in one JSON file: connectors, their operations, plugins, worker configurations, tags."""

import json
import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.run.settings import REGION, write_private
from sandbox.servers.msk_connect.errors import NotFoundError

ACCOUNT = "0" * 12
KINDS = ("connector", "connector-operation", "custom-plugin", "worker-configuration")
VERSION_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

Resource = dict[str, Any]


class Store:
    """Resources by kind and ARN, in the order of their creation; ``save`` after every change."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "state.json"
        self._resources: dict[str, dict[str, Resource]] = {kind: {} for kind in KINDS}
        if self._file.exists():
            self._resources |= json.loads(self._file.read_text())

    def save(self) -> None:
        write_private(self._file, json.dumps(self._resources, indent=1))

    def all(self, kind: str) -> list[Resource]:
        return list(self._resources[kind].values())

    def add(self, kind: str, arn: str, resource: Resource) -> Resource:
        self._resources[kind][arn] = resource
        self.save()
        return resource

    def get(self, kind: str, arn: str) -> Resource:
        try:
            return self._resources[kind][arn]
        except KeyError:
            raise NotFoundError(f"The {kind.replace('-', ' ')} with ARN {arn} was not found.") from None

    def has(self, kind: str, arn: str) -> bool:
        return arn in self._resources[kind]

    def remove(self, kind: str, arn: str) -> None:
        self._resources[kind].pop(arn, None)
        self.save()

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of any resource; the caller may change them and save."""
        for kind in KINDS:
            if self.has(kind, arn):
                tags: dict[str, str] = self._resources[kind][arn].setdefault("tags", {})
                return tags
        raise NotFoundError(f"The resource with ARN {arn} was not found.")


def new_arn(kind: str, *path: str) -> str:
    return f"arn:aws:kafkaconnect:{REGION}:{ACCOUNT}:{kind}/{'/'.join(path)}/{uuid.uuid4()}-4"


def new_version() -> str:
    """A version as the service writes them: K and 13 capitals or digits, without order."""
    return "K" + "".join(secrets.choice(VERSION_ALPHABET) for _ in range(13))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
