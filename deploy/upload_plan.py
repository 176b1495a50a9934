"""Decide what an upload has to do: pure, from the bundle, the bucket's listing and the record of the last upload."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

ENVIRONMENT_FILES = {  # taken over by an update of the environment only, and by object version
    "plugins.zip": "plugins",
    "requirements.txt": "requirements",
    "startup.sh": "startup-script",
}
DAGS = "dags/"  # synced by MWAA within a minute
RECORD = "deployed.json"  # in the bucket: what the last upload left there


@dataclass(frozen=True)
class Uploaded:
    """One object: the checksum that a deploy gave it, and what S3 calls it."""

    sha256: str
    etag: str
    version: str


@dataclass(frozen=True)
class Plan:
    """What to send, in this order, and what to take away.

    ``foreign`` are DAG files that this deploy would delete, but that were replaced since the last upload.
    """

    upload: list[str] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        return bool(self.upload or self.delete or self.foreign)


def unrecorded(wanted: Mapping[str, str], present: Mapping[str, str], known: Mapping[str, Uploaded]) -> list[str]:
    """Return the wanted files that lie in the bucket otherwise than recorded: the last upload was cut, or was not ours.

    :param wanted: sha256 by name, of the bundle.
    :param present: ETag by name, of the bucket.
    :param known: The objects that the last upload recorded.
    """
    return [name for name in wanted if name in present and (name not in known or known[name].etag != present[name])]


def plan_upload(wanted: Mapping[str, str], present: Mapping[str, str], known: Mapping[str, Uploaded]) -> Plan:
    """Compare; what is already there is not sent, and what another user put there is not deleted.

    :param known: As recorded, and for what ``unrecorded`` returns as found in the bucket.
    """
    plan = Plan()
    for name in sorted(wanted, key=order):
        same = name in present and known[name].sha256 == wanted[name]
        (plan.unchanged if same else plan.upload).append(name)
    for name in sorted((set(known) & set(present)) - set(wanted)):
        if name.startswith(DAGS):
            (plan.delete if known[name].etag == present[name] else plan.foreign).append(name)
    return plan


def order(name: str) -> tuple[int, str]:
    """The environment's files first; of the DAGs those that they read before the DAG files that read them."""
    if name in ENVIRONMENT_FILES:
        return list(ENVIRONMENT_FILES).index(name), name
    return len(ENVIRONMENT_FILES) + int(not name.startswith(f"{DAGS}include/")), name


def belongs_into_bucket(name: str) -> bool:
    return name in ENVIRONMENT_FILES or name.startswith(DAGS)


def update_call(environment: str, prefix: str, versions: Mapping[str, str]) -> str:
    """Return the AWS CLI's call that makes an environment take these object versions."""
    words = ["aws", "mwaa", "update-environment", "--name", environment]
    for name, option in ENVIRONMENT_FILES.items():
        words += [f"--{option}-s3-path", prefix + name, f"--{option}-s3-object-version", versions[name]]
    return shlex.join(words)
