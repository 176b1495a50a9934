"""Upload ``dist/mwaa`` into an environment's bucket: what the environment needs first, DAGs last, then the record.

A deploy that was cut is simply made again: what it sent carries its checksum, and is not sent twice.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.bucket import Bucket
from deploy.bundle import MANIFEST, sha256_of
from deploy.errors import DeployError
from deploy.upload_plan import (
    DAGS,
    ENVIRONMENT_FILES,
    RECORD,
    Plan,
    Uploaded,
    belongs_into_bucket,
    plan_upload,
    unrecorded,
    update_call,
)

PARTS: dict[str, Callable[[str], bool]] = {
    "all": belongs_into_bucket,
    "environment": ENVIRONMENT_FILES.__contains__,
    "dags": lambda name: name.startswith(DAGS),
}


@dataclass(frozen=True)
class Target:
    """Where to, and how much of the bundle."""

    bucket: str
    prefix: str = ""
    environment: str = ""
    only: str = "all"
    dry_run: bool = False

    @property
    def folder(self) -> str:
        """The prefix as S3 wants it in front of a name: empty, or with a slash at its end alone."""
        inner = self.prefix.strip("/")
        return f"{inner}/" if inner else ""


def upload(bundle: Path, target: Target, say: Callable[[str], None] = print) -> None:
    """Make the bucket hold the bundle, and say what changed; a second call sends nothing.

    :raises DeployError: for a bundle that is not whole, and for a bucket that MWAA could not use.
    """
    manifest = read_manifest(bundle)
    wanted = {name: sha256 for name, sha256 in manifest["files"].items() if PARTS[target.only](name)}
    bucket = Bucket(target.bucket, target.folder)
    bucket.demand_versions()
    present = bucket.etags()
    record = bucket.read_record(RECORD) if RECORD in present else {}
    record = {name: last for name, last in record.items() if name in present}
    known = {name: last for name, last in record.items() if PARTS[target.only](name)}
    found = {name: bucket.look_at(name) for name in unrecorded(wanted, present, known)}
    plan = plan_upload(wanted, present, known | found)
    say(f"s3://{target.bucket}/{target.folder}: Airflow {manifest['airflow']}, commit {manifest['commit']}")
    record |= found
    if not target.dry_run:
        carry_out(plan, bucket, bundle, wanted, record)
        if plan.changes or found:
            files = {name: asdict(last) for name, last in record.items()}
            bucket.write_record(RECORD, {"commit": manifest["commit"], "airflow": manifest["airflow"], "files": files})
    report(plan, target, say)
    if any(name in plan.upload or name in found for name in ENVIRONMENT_FILES):
        report_update(record, target, say)


def read_manifest(bundle: Path) -> dict[str, Any]:
    """Return the bundle's manifest after comparing every file with it."""
    try:
        manifest: dict[str, Any] = json.loads((bundle / MANIFEST).read_text())
        wrong = [name for name, sha256 in manifest["files"].items() if sha256_of(bundle / name) != sha256]
    except (OSError, ValueError, KeyError) as error:
        raise DeployError(f"{bundle} holds no whole bundle ({error}): run `make mwaa`.") from error
    if wrong:
        raise DeployError(f"{bundle / wrong[0]} is not the file of the manifest: run `make mwaa` again.")
    return manifest


def carry_out(plan: Plan, bucket: Bucket, bundle: Path, wanted: dict[str, str], record: dict[str, Uploaded]) -> None:
    """Send and delete in the plan's order, and keep the record of it."""
    for name in plan.upload:
        record[name] = bucket.upload(name, bundle / name, wanted[name])
    for name in plan.delete:
        bucket.delete(name)
    for name in (*plan.delete, *plan.foreign):
        del record[name]


def report(plan: Plan, target: Target, say: Callable[[str], None]) -> None:
    would = "would " if target.dry_run else ""
    for name in plan.upload:
        say(f"  {would}upload {name}")
    for name in plan.delete:
        say(f"  {would}delete {name}")
    for name in plan.foreign:
        say(f"  {name} is no longer in the bundle, but another user has replaced it since: delete it by hand.")
    say(f"{len(plan.upload)} uploaded, {len(plan.delete)} deleted, {len(plan.unchanged)} unchanged" + (
        " (a dry run: nothing was done)" if target.dry_run else ""
    ))  # fmt: skip


def report_update(record: dict[str, Uploaded], target: Target, say: Callable[[str], None]) -> None:
    if target.dry_run:
        say("The environment would have to be updated; the call needs the versions that the upload makes.")
        return
    say("DAGs are in use within a minute; plugins, requirements and startup script after an update (20 to 30 minutes):")
    versions = {name: record[name].version for name in ENVIRONMENT_FILES}
    say(f"  {update_call(target.environment or 'YOUR-ENVIRONMENT', target.folder, versions)}")
