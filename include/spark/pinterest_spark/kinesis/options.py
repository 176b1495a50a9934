"""The options of the ``kinesis`` source: the Databricks source's names, read strictly, every problem said at once."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

POLLING = "polling"
EARLIEST, LATEST = "TRIM_HORIZON", "LATEST"
MAX_RECORDS_PER_FETCH = 10_000  # GetRecords service limit
MIN_FETCH_PERIOD_SECONDS = 0.2  # GetRecords service limit: 5 calls a second and shard, shared by all consumers
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
BYTES = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
OF_DATABRICKS_ONLY = (
    "connectionName", "consumerName", "consumerNamePrefix", "deregisterConsumerTimeoutS",
    "consumerRefreshInterval", "registeredConsumerId", "registeredConsumerIdType",
    "requireConsumerDeregistration", "serviceCredential", "roleArn", "roleExternalId", "roleSessionName", "stsEndpoint",
    "maxFetchRate", "maxPartitions", "maxShardsPerDescribe", "coalesceThresholdBlockSize",
    "coalesceBinSize",
)  # fmt: skip
# Java's letters, as the Databricks source takes them in "format", and Python's
JAVA_FORMAT = {
    "yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "SSS": "%f", "'T'": "T",
    "ZZZ": "%z", "XXX": "%z", "Z": "%z", "z": "%z",
}  # fmt: skip


@dataclass(frozen=True)
class KinesisOptions:
    """What a query may choose. Durations are seconds, sizes bytes; ``initial`` is ``EARLIEST``, ``LATEST`` or ms UTC.

    :param min_fetch_period: between two GetRecords calls of a shard.
    :param max_fetch_duration: how long a micro-batch may go on fetching while it is behind.
    :param max_records_per_batch: of a micro-batch, over all shards.
    :param fetch_buffer_size: of a micro-batch's payloads; fetching ends when it is reached, so one response a shard
        (at most 10 MB each) may come on top.
    :param shards_per_task: hand so many shards to a task; 0 hands the records straight to the JVM, in one partition.
    :param fail_on_data_loss: end the query when records expired unread, instead of going on with what is left.
    """

    stream_name: str
    stream_arn: str = ""
    region: str = ""
    endpoint_url: str = ""
    aws_access_key: str = field(default="", repr=False)
    aws_secret_key: str = field(default="", repr=False)
    initial: str | int = LATEST
    max_records_per_fetch: int = MAX_RECORDS_PER_FETCH
    max_records_per_batch: int = 50_000
    min_fetch_period: float = 0.4
    max_fetch_duration: float = 10.0
    fetch_buffer_size: int = 32 << 20
    shard_fetch_interval: float = 1.0
    shards_per_task: int = 0
    fail_on_data_loss: bool = True

    @property
    def stream(self) -> dict[str, str]:
        """How a request names the stream."""
        return {"StreamARN": self.stream_arn} if self.stream_arn else {"StreamName": self.stream_name}


def read_options(given: Mapping[str, str]) -> KinesisOptions:
    """Read the options of ``readStream.format("kinesis")``; names in any case.

    :raises ValueError: naming every unknown, conflicting, missing or malformed option.
    """
    values = {name.lower(): str(value).strip() for name, value in given.items()}
    problems = unknown(values) + conflicts(values)
    chosen: dict[str, Any] = {}
    for name, (attribute, read) in OPTIONS.items():
        if value := values.get(name.lower()):
            try:
                chosen[attribute] = read(value)
            except ValueError as error:
                problems.append(f"{name} is {value!r}: {error}" if attribute not in SECRET else f"{name}: {error}")
    if arn := chosen.get("stream_arn"):
        chosen["stream_name"] = arn.rpartition("/")[2]
        chosen.setdefault("region", arn.split(":")[3])
    chosen.pop("consumer_mode", None)
    if problems:
        raise ValueError(f"The options of the kinesis source are wrong: {'; '.join(problems)}.")
    return KinesisOptions(**chosen)


def unknown(values: Mapping[str, str]) -> list[str]:
    known = {name.lower() for name in OPTIONS}
    of_databricks = {name.lower(): name for name in OF_DATABRICKS_ONLY}
    strange = sorted(values.keys() - known)
    problems = [f"{of_databricks[name]} is an option of Databricks' own source only" for name in strange
                if name in of_databricks]  # fmt: skip
    if strangers := [name for name in strange if name not in of_databricks]:
        problems.append(f"there is no option {', '.join(strangers)}; the options are {', '.join(OPTIONS)}")
    return problems


def conflicts(values: Mapping[str, str]) -> list[str]:
    problems = []
    if bool(values.get("streamname")) == bool(values.get("streamarn")):
        problems.append("give either streamName or streamARN")
    if values.get("endpoint") and values.get("endpointurl"):
        problems.append("endpoint and endpointUrl are two names of one option: give one")
    if bool(values.get("awsaccesskey")) != bool(values.get("awssecretkey")):
        problems.append("awsAccessKey and awsSecretKey go together")
    return problems


def one_name(text: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,128}", text):
        raise ValueError("expected the name of one stream ([a-zA-Z0-9_.-], at most 128); a query reads one stream")
    return text


def one_arn(text: str) -> str:
    if not re.fullmatch(r"arn:[^:,]+:kinesis:[^:,]+:[^:,]+:stream/[a-zA-Z0-9_.-]{1,128}", text):
        raise ValueError("expected arn:aws:kinesis:<region>:<account>:stream/<name>, one stream")
    return text


def initial_position(text: str) -> str | int:
    """Read ``latest``, ``earliest``, ``trim_horizon`` or ``{"at_timestamp": …, "format": …}`` (then ms since 1970)."""
    name = text.strip('"').lower()
    if name in ("earliest", "trim_horizon"):
        return EARLIEST
    if name == "latest":
        return LATEST
    try:
        parts = json.loads(text)
        return at_timestamp(**parts)
    except (TypeError, ValueError) as error:
        raise ValueError(
            'expected latest, earliest, trim_horizon or {"at_timestamp": "2026-11-25T10:00:00Z"}, with a "format" of '
            f"Java's letters if it is not ISO 8601 ({error})"
        ) from error


def at_timestamp(at_timestamp: str | float, format: str = "") -> int:  # noqa: A002 - the JSON's own keys
    if isinstance(at_timestamp, int | float):
        return round(at_timestamp * 1000)  # seconds since 1970, as the Kinesis API takes them
    text = re.sub(r"\b(UTC|GMT)$", "+0000", at_timestamp.strip())
    moment = datetime.strptime(text, python_format(format)) if format else datetime.fromisoformat(text)  # noqa: DTZ007 - refused below
    if moment.tzinfo is None:
        raise ValueError("it has no offset from UTC")
    return round((moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


def python_format(java: str) -> str:
    parts = re.findall(r"'T'|([a-zA-Z])(\1*)|([^a-zA-Z])", java)
    letters = [first + rest if first else other or "'T'" for first, rest, other in parts]
    if strange := [one for one in letters if one[0].isalpha() and one not in JAVA_FORMAT]:
        raise ValueError(f"the format has {', '.join(strange)}; it may have {', '.join(JAVA_FORMAT)}")
    return "".join(JAVA_FORMAT.get(one, one) for one in letters)


def whole(smallest: int, largest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdigit() or not smallest <= int(text) <= largest:
            raise ValueError(f"expected a whole number from {smallest} to {largest}")
        return int(text)

    return read


def scaled(units: Mapping[str, float], example: str, smallest: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        found = re.fullmatch(r"([\d.]+)\s*([a-z]+)", text.lower())
        if not found or found[2] not in units or (value := float(found[1]) * units[found[2]]) < smallest:
            raise ValueError(f"expected a number and {', '.join(units)}, at least {example}")
        return value

    return read


def size(text: str) -> int:
    return round(scaled(BYTES, "1kb", 1024)(text))


def one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(f"expected {' or '.join(names)}")
        return text.lower()

    return read


def flag(text: str) -> bool:
    return one_of("true", "false")(text) == "true"


SECRET = ("aws_access_key", "aws_secret_key")
OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "streamName": ("stream_name", one_name),
    "streamARN": ("stream_arn", one_arn),
    "region": ("region", str),
    "endpoint": ("endpoint_url", str),
    "endpointUrl": ("endpoint_url", str),
    "awsAccessKey": ("aws_access_key", str),
    "awsSecretKey": ("aws_secret_key", str),
    "initialPosition": ("initial", initial_position),
    "consumerMode": ("consumer_mode", one_of(POLLING)),
    "maxRecordsPerFetch": ("max_records_per_fetch", whole(1, MAX_RECORDS_PER_FETCH)),
    "maxRecordsPerBatch": ("max_records_per_batch", whole(1, 10_000_000)),
    "minFetchPeriod": ("min_fetch_period", scaled(SECONDS, "200ms", MIN_FETCH_PERIOD_SECONDS)),
    "maxFetchDuration": ("max_fetch_duration", scaled(SECONDS, "1ms", 0.001)),
    "fetchBufferSize": ("fetch_buffer_size", size),
    "shardFetchInterval": ("shard_fetch_interval", scaled(SECONDS, "100ms", 0.1)),
    "shardsPerTask": ("shards_per_task", whole(1, 10_000)),
    "failOnDataLoss": ("fail_on_data_loss", flag),
}
