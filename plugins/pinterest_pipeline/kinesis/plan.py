"""What to do so that a stream is as it is declared: pure decisions over the declaration and the service's report."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.json_templates import fill, read_json
from pinterest_pipeline.kinesis.model import (
    MAX_SHARD_UPDATES_PER_DAY,
    MAX_SHARDS_BY_UPDATE,
    MAX_TAGS,
    RETENTION_HOURS,
    Mode,
    StreamDescription,
    StreamStatus,
    short_name,
)

CREATE_STREAM = "create it (DAG pinterest_kinesis_streams) or correct its name and the region"
STREAM_NAME = re.compile(r"(arn:[^:,]+:kinesis:[^:,]+:\d{12}:stream/)?[a-zA-Z0-9_.-]{1,128}")


@dataclass(frozen=True)
class StreamSpec:
    """A stream as it is to be.

    :param shard_count: 1 to 10,000 for PROVISIONED, None for ON_DEMAND, where Kinesis itself decides.
    :param retention_hours: 24 to 8,760: how long an outage of the readers may last without loss.
    :param key_id: KMS key (id, ARN or ``alias/…``) that encrypts the records; None = no encryption.
    :param tags: Tags that must be there; others on the stream are left alone.
    """

    name: str
    mode: str = Mode.PROVISIONED.value
    shard_count: int | None = 1
    retention_hours: int = 24
    key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """Return everything that Kinesis would refuse, but for the name."""
        found = []
        if self.mode not in set(Mode):
            found.append(f"mode is {self.mode!r}, expected {' or '.join(Mode)}")
        if self.mode == Mode.ON_DEMAND and self.shard_count is not None:
            found.append(f"shard_count is {self.shard_count}, expected none: an ON_DEMAND stream scales itself")
        if self.mode == Mode.PROVISIONED and not is_shard_count(self.shard_count):
            found.append(f"shard_count is {self.shard_count!r}, expected 1 to {MAX_SHARDS_BY_UPDATE:,}")
        if self.retention_hours not in RETENTION_HOURS:
            found.append(
                f"retention_hours is {self.retention_hours!r}, expected {RETENTION_HOURS[0]} to {RETENTION_HOURS[-1]:,}"
            )
        if len(self.tags) > MAX_TAGS:
            found.append(f"{len(self.tags)} tags, expected at most {MAX_TAGS}")
        return found

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of ``KinesisEnsureStreamOperator``."""
        settings = asdict(self)
        return {"stream_name": settings.pop("name"), **settings}


def is_shard_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SHARDS_BY_UPDATE


def require_stream_name(name: object) -> str:
    """Return the name where Kinesis takes it; else raise :class:`PermanentError`."""
    if isinstance(name, str) and STREAM_NAME.fullmatch(name):
        return name
    raise PermanentError(
        f"Stream name {name!r}: expected 1 to 128 of a-z, A-Z, 0-9, _ . and -, or the ARN of a stream: correct it."
    )


def missing_stream(name: str) -> PermanentError:
    return PermanentError(f"Stream {name} does not exist: {CREATE_STREAM}.")


def read_streams_file(file: Path, values: Mapping[str, str]) -> dict[str, StreamSpec]:
    """Return the declared streams by table, ``${placeholders}`` in the file filled from ``values``.

    :raises PermanentError: naming every stream and setting that is wrong; so a DAG that reads the file cannot be
        imported.
    """
    declared = read_json(file, "Streams file", argument="the file's name in the DAG")
    if not isinstance(declared, dict) or not declared:
        raise PermanentError(f"{file} declares no stream: write an object of tables and their streams into it.")
    declared = fill(declared, values, f"Streams file {file}", remedy="correct the file or the values")
    try:
        specs = {table: StreamSpec(**stream) for table, stream in declared.items()}
    except TypeError as error:
        raise PermanentError(f"{file}: a stream has a setting too many or too few: {error}.") from error
    problems = [f"{table}: {problem}" for table, spec in specs.items() for problem in spec.problems()]
    if problems:
        raise PermanentError(f"{file}: {'; '.join(problems)}.")
    return specs


class Await(StrEnum):
    """What must come about before anything else can be done; each a :class:`StreamStatus`, or its end."""

    ACTIVE = "ACTIVE"
    DELETED = "DELETED"


class Guard(StrEnum):
    """What a change takes away from a stream that is in use; a change with a guard is made once it is accepted."""

    RETENTION = "retention"
    SHARDS = "shards"
    MODE = "mode"
    ENCRYPTION = "encryption"


@dataclass(frozen=True)
class Change:
    """One call that brings the stream nearer to what it is to be; after it, check again.

    :param operation: By boto3's name, with its arguments.
    :param says: What it changes, in words; the same change has the same words.
    :param costs: What it takes away, or what is paid for it, in words.
    :param guard: Why it is not made unless accepted; None = it takes nothing away.
    """

    operation: str
    arguments: Mapping[str, Any]
    says: str
    costs: str = ""
    guard: Guard | None = None


def next_step(
    stream: StreamDescription | None,
    spec: StreamSpec,
    *,
    converge_shard_count: bool = True,
    is_allowed: Callable[[Change], bool] = lambda _change: True,
) -> Change | Await | None:
    """Choose the next step towards the declared stream; None when all that ``is_allowed`` is as declared."""
    if stream is None:
        return creation(spec)
    missing = changes(stream, spec, converge_shard_count=converge_shard_count)
    return still_busy(stream) or next(filter(is_allowed, missing), None)


def still_busy(stream: StreamDescription) -> Await | None:
    if stream.status == StreamStatus.DELETING:
        return Await.DELETED
    return None if stream.status == StreamStatus.ACTIVE else Await.ACTIVE


def creation(spec: StreamSpec) -> Change:
    if spec.name != short_name(spec.name):
        raise missing_stream(spec.name)  # in another account, where it cannot be made from here
    shards = {} if spec.shard_count is None else {"ShardCount": spec.shard_count}
    tags = {"Tags": dict(spec.tags)} if spec.tags else {}
    mode = {"StreamModeDetails": {"StreamMode": str(spec.mode)}}
    says = f"create {spec.mode}" + (f" with {spec.shard_count} shards" if shards else "")
    return Change("create_stream", {"StreamName": spec.name, **shards, **mode, **tags}, says)


def changes(stream: StreamDescription, spec: StreamSpec, *, converge_shard_count: bool) -> Iterator[Change]:
    """Yield what differs. The mode comes first, since shards can be counted only in one of the two."""
    if stream.mode != spec.mode:
        yield mode_change(stream, spec.mode)
    elif converge_shard_count and spec.shard_count is not None and stream.open_shard_count != spec.shard_count:
        yield scaling(stream, spec.shard_count)
    if stream.retention_hours != spec.retention_hours:
        yield retention_change(stream, spec.retention_hours)
    yield from encryption_changes(stream, spec)
    wrong = {key: value for key, value in spec.tags.items() if stream.tags.get(key) != value}
    if wrong:
        tags = {"StreamName": stream.name, "Tags": wrong}
        yield Change("add_tags_to_stream", tags, f"tags {', '.join(sorted(wrong))}")


def mode_change(stream: StreamDescription, mode: str) -> Change:
    arguments = {"StreamARN": stream.arn, "StreamModeDetails": {"StreamMode": str(mode)}}
    costs = (
        f"it keeps its {capacity(stream.open_shard_count)} and scales itself no more"
        if mode == Mode.PROVISIONED
        else "it is billed by its data and not by its shards, and scale_to has no effect"
    )
    costs += "; Kinesis takes 2 changes of the mode in 24 hours"
    return Change("update_stream_mode", arguments, f"mode {stream.mode} -> {mode}", costs, Guard.MODE)


def retention_change(stream: StreamDescription, hours: int) -> Change:
    arguments = {"StreamName": stream.name, "RetentionPeriodHours": hours}
    says = f"retention {stream.retention_hours} h -> {hours} h"
    if stream.retention_hours < hours:
        costs = "hours beyond 24 are billed, and beyond 168 by the amount of data"
        return Change("increase_stream_retention_period", arguments, says, costs)
    costs = f"what arrived more than {hours} hours ago is dropped at once, read or not"
    return Change("decrease_stream_retention_period", arguments, says, costs, Guard.RETENTION)


def capacity(shard_count: int) -> str:
    return f"{shard_count} shards ({shard_count} MiB/s, {shard_count * 1000:,} records/s)"


def encryption_changes(stream: StreamDescription, spec: StreamSpec) -> Iterator[Change]:
    is_encrypted = stream.encryption == "KMS"
    old = f"readers need {stream.key_id}, too, for {stream.retention_hours} hours, for what lies in the stream"
    if spec.key_id is None and is_encrypted:
        off = {"StreamName": stream.name, "EncryptionType": "KMS", "KeyId": stream.key_id}
        costs = f"new records lie there unencrypted; {old}"
        yield Change("stop_stream_encryption", off, "encryption off", costs, Guard.ENCRYPTION)
    if spec.key_id is not None and not (is_encrypted and is_same_key(stream.key_id, spec.key_id)):
        on = {"StreamName": stream.name, "EncryptionType": "KMS", "KeyId": spec.key_id}
        costs = f"producers need kms:GenerateDataKey and readers kms:Decrypt on {spec.key_id}"
        guard = None
        if is_encrypted:
            costs, guard = f"{costs}; {old}", Guard.ENCRYPTION
        yield Change("start_stream_encryption", on, f"encryption with {spec.key_id}", costs, guard)


def is_same_key(reported: str | None, wanted: str) -> bool:
    """A key may be reported by its whole ARN, of which an id or alias is the end."""
    return reported is not None and (reported == wanted or reported.endswith((f"/{wanted}", f":{wanted}")))


def scaling(stream: StreamDescription, target: int) -> Change:
    """Return the next call on the way to ``target`` open shards.

    :raises PermanentError: the stream scales itself, or a day's calls do not reach so far.
    """
    if stream.mode == Mode.ON_DEMAND:
        raise PermanentError(
            f"Stream {stream.name} is ON_DEMAND and scales itself: leave it to that, or declare its mode PROVISIONED "
            "in include/kinesis/streams.json and run again."
        )
    path = scale_path(stream.open_shard_count, target)
    if len(path) > MAX_SHARD_UPDATES_PER_DAY:
        raise PermanentError(
            f"Stream {stream.name}: from {stream.open_shard_count} to {target} shards takes {len(path)} calls, each of "
            f"which at most doubles or halves them, and Kinesis allows {MAX_SHARD_UPDATES_PER_DAY} in 24 hours: "
            f"ask for {path[MAX_SHARD_UPDATES_PER_DAY - 1]} today and for {target} tomorrow."
        )
    is_fewer = target < stream.open_shard_count
    return Change(
        "update_shard_count",
        {"StreamName": stream.name, "TargetShardCount": path[0], "ScalingType": "UNIFORM_SCALING"},
        f"shards {stream.open_shard_count} -> {path[0]}",
        f"producers beyond {capacity(path[0])} are throttled" if is_fewer else "each shard is billed",
        Guard.SHARDS if is_fewer else None,
    )


def scale_path(current: int, target: int) -> list[int]:
    """Return the shard counts on the way: UpdateShardCount at most doubles them, or halves them rounding up."""
    path = []
    while current != target:
        current = min(target, current * 2) if target > current else max(target, (current + 1) // 2)
        path.append(current)
    return path
