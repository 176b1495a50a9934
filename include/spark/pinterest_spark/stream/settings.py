"""What the notebook ``stream_posts`` is told, checked as a whole before anything starts."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from pinterest_spark.kinesis.options import OF_DATABRICKS_ONLY, OPTIONS
from pinterest_spark.rows.schemas import TABLES

REQUIRED = ("stream_prefix", "region", "checkpoint_uri", "secret_scope", "secret_key")
OPTIONAL = (
    "endpoint_url", "trigger_seconds", "max_records_per_batch", "initial_position", "tables", "lake_uri",
    "source_options", "progress_days", "quarantine_days", "position_days",
)  # fmt: skip

STREAM = "{stream}"
# Options of the source that have a setting of their own, or one value for each query
SET_BY = {
    "streamName": "stream_prefix", "region": "region", "endpoint": "endpoint_url", "endpointUrl": "endpoint_url",
    "initialPosition": "initial_position", "maxRecordsPerBatch": "max_records_per_batch",
    "failOnDataLoss": "accept_data_loss of the supervisor",
}  # fmt: skip


@dataclass(frozen=True)
class StreamSettings:
    """The settings of a run.

    :param stream_prefix: streams are ``<prefix>-pin``, ``-geo`` and ``-user``.
    :param checkpoint_uri: folder of the checkpoints, one a query; deleting it makes the stream read again what
        Kinesis still holds, which changes no row.
    :param endpoint_url: of Kinesis; empty for the region's own.
    :param trigger_seconds: least time between the starts of two micro-batches.
    :param max_records_per_batch: of each query, where the source is our own; Databricks' has options of its own.
    :param initial_position: where a new checkpoint begins: ``earliest``, ``latest`` or the source's JSON.
    :param source_options: more options of the Kinesis source, names as documented for Databricks' own (``roleArn``,
        ``consumerMode``, ``maxFetchRate`` …); ``{stream}`` in a value is the name of the query's stream.
    :param progress_days: after which rows of ``stream.progress`` are summed up; 0 = never, here and below.
    :param quarantine_days: after which rows of ``stream.quarantine`` are deleted.
    :param position_days: after which rows of ``stream.position`` without a new record are deleted; more than the
        longest retention of Kinesis, or a stream that was read looks unread.
    :param lake_uri: where every validated record is also appended to ``delta/stream/<table>``; empty for nowhere.
    """

    stream_prefix: str
    region: str
    checkpoint_uri: str
    endpoint_url: str = ""
    trigger_seconds: float = 0.5
    max_records_per_batch: int = 10_000
    initial_position: str = "earliest"
    tables: tuple[str, ...] = TABLES
    lake_uri: str = ""
    source_options: Mapping[str, str] = field(default_factory=dict)
    progress_days: int = 7
    quarantine_days: int = 0
    position_days: int = 400

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "StreamSettings":
        """Return the settings of widget values; an empty one has its default.

        :raises ValueError: naming *every* value that is none.
        """
        wrong: list[str] = []
        values: dict[str, object] = {one.name: given[one.name] for one in fields(cls) if given.get(one.name, "")}
        readers = {
            "trigger_seconds": seconds, "max_records_per_batch": whole_number, "tables": tables,
            "source_options": source_options, "progress_days": days, "quarantine_days": days, "position_days": days,
        }  # fmt: skip
        for name, reader in readers.items():
            if name in values:
                try:
                    values[name] = reader(str(values[name]))
                except ValueError as error:
                    wrong.append(f"{name} is {values[name]!r}; {error}")
        if "://" not in str(values.get("checkpoint_uri", "")):
            wrong.append(
                f"checkpoint_uri is {values.get('checkpoint_uri')!r}; expected a URI such as s3://bucket/folder"
            )
        if wrong:
            raise ValueError(f"Wrong notebook parameters: {'; '.join(wrong)}.")
        return cls(**values)  # type: ignore[arg-type]

    def stream(self, table: str) -> str:
        return f"{self.stream_prefix}-{table}"

    def checkpoint(self, query: str) -> str:
        return f"{self.checkpoint_uri.rstrip('/')}/{query}"

    def options(self, table: str) -> dict[str, str]:
        """Return the options of a table's source, but for those that differ between Databricks' source and ours."""
        stream = self.stream(table)
        more = {name: value.replace(STREAM, stream) for name, value in self.source_options.items()}
        by_name = {} if any(name.lower() == "streamarn" for name in more) else {"streamName": stream}
        endpoint = {"endpoint": self.endpoint_url} if self.endpoint_url else {}
        return {**by_name, "region": self.region, "initialPosition": self.initial_position, **endpoint, **more}

    @property
    def retention_days(self) -> dict[str, int]:
        return {"progress": self.progress_days, "quarantine": self.quarantine_days, "position": self.position_days}

    @property
    def trigger(self) -> str:
        return f"{round(self.trigger_seconds * 1000)} milliseconds"


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 3600:
        raise ValueError("expected seconds from 0 to 3600")
    return value


def whole_number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ValueError("expected a whole number of records, 1 or more")
    return int(text)


def source_options(text: str) -> dict[str, str]:
    try:
        options = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, dict) or not all(isinstance(one, str | int | float) for one in options.values()):
        raise ValueError("expected a JSON object of option names and texts or numbers")
    names = {name.lower(): name for name in (*OPTIONS, *OF_DATABRICKS_ONLY)}
    set_by = {name.lower(): setting for name, setting in SET_BY.items()}
    problems = [f"{name} is set by {set_by[name.lower()]}" for name in options if name.lower() in set_by]
    problems += [f"the Kinesis source has no option {name}" for name in options if name.lower() not in names]
    for name, value in options.items():
        if name.lower() == "streamarn" and STREAM not in str(value):
            problems.append(f"{name} needs {STREAM} where the stream's name is, for each query reads its own")
    if problems:
        raise ValueError("; ".join(problems))
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in options.items()}


def days(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("expected a whole number of days, 0 for ever")
    return int(text)


def tables(text: str) -> tuple[str, ...]:
    wanted = tuple(name.strip() for name in text.split(",") if name.strip())
    if not wanted or len(set(wanted)) != len(wanted) or not set(wanted) <= set(TABLES):
        raise ValueError(f"expected some of {', '.join(TABLES)}, each once")
    return wanted
