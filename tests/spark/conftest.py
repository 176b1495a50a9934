"""One Spark session for the whole run, a lake of its own for each test, and a pen to write objects into it."""

import gzip
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "include" / "spark"))
sys.path.append(str(PROJECT / "plugins"))  # whose readers of SQL files need no Airflow

from pinterest_spark.lakehouse.offsets import OffsetRange  # noqa: E402 - the package is beside the notebooks, not installed
from pinterest_spark.lakehouse.tables import Lake  # noqa: E402 - as above
from pinterest_spark.session import build_session  # noqa: E402 - as above

ARRIVED_MS = 1_764_021_600_000  # 2025-11-24T22:00:00Z, the Kafka timestamp of a record at offset 0


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    session = build_session("tests", size="test", jars=str(PROJECT / ".jars" / "spark"), environment={})
    yield session
    session.stop()


@pytest.fixture(scope="module")
def planned_as_in_production(spark: Any) -> Iterator[None]:
    """Plan the module's queries adaptively and compile them, both of which the size ``test`` does without."""
    wanted = {
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.codegen.wholeStage": "true",
        "spark.sql.codegen.factoryMode": "FALLBACK",
    }
    before = {name: spark.conf.get(name) for name in wanted}
    for name, value in wanted.items():
        spark.conf.set(name, value)
    yield
    for name, value in before.items():
        spark.conf.set(name, value)


@pytest.fixture
def allow_ages(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[tuple[int, int]], None]]:
    """Return a function that changes a rule, as the next version of the package would."""
    from pinterest_spark.rows import rules

    def allow(ages: tuple[int, int]) -> None:
        monkeypatch.setattr(rules, "AGES", ages)
        rules.reject_reason.cache_clear()

    yield allow
    rules.reject_reason.cache_clear()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path}/lake")


def envelope(table: str, payload: str | None, offset: int, partition: int = 0, later_ms: int = 0) -> str:
    """Return one line of an object, as the sink connector writes it."""
    return json.dumps(
        {
            "payload": payload,
            "kafka_topic": f"pinterest.{table}",
            "kafka_partition": partition,
            "kafka_offset": offset,
            "kafka_timestamp": ARRIVED_MS + offset + later_ms,
        },
        ensure_ascii=False,
    )


@pytest.fixture
def land(lake: Lake) -> Callable[..., None]:
    """Return a function that writes lines as one object of a topic; each call makes a new object."""
    return partial(land_in, lake)


def land_in(lake: Lake, table: str, *lines: str) -> None:
    topic = f"pinterest.{table}"
    folder = Path(lake.uri.removeprefix("file://")) / "topics" / topic / "dt=2025-11-24"
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.gz")))
    draft = folder.parent / "_draft"
    draft.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    draft.rename(folder / f"{topic}+0+{number:010d}.json.gz")


@pytest.fixture(scope="session")
def in_silver(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Return a function ``(lake, table, lines)`` that leaves a lake as it is once bronze and silver took these lines.

    It returns what the silver stage returned, which followed the records of partition 0. The stages run once for each
    set of lines, and every test has a copy: the two cost more processor time than most of what is tested after them.
    """
    results: dict[tuple[str, ...], tuple[Lake, dict[str, Any]]] = {}

    def begin(lake: Lake, table: str, *lines: str) -> dict[str, Any]:
        from pinterest_spark.lakehouse import bronze, silver

        if (table, *lines) not in results:
            made = Lake(f"file://{tmp_path_factory.mktemp('silver')}/lake")
            land_in(made, table, *lines)
            bronze.load_table(spark, made, table, f"pinterest.{table}")
            acknowledged = {table: [OffsetRange(0, 0, 99)]}
            results[table, *lines] = made, silver.run(spark, made, "pinterest", acknowledged)
        made, result = results[table, *lines]
        copy_lake(made, lake)
        return result

    return begin


def copy_lake(made: Lake, lake: Lake) -> None:
    """Copy a lake with its checkpoints, of which only that of bronze knows where the lake is."""
    source, target = (Path(one.uri.removeprefix("file://")) for one in (made, lake))
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*.crc"))
    for seen in target.glob("checkpoints/bronze/*/sources/0/*"):
        text = seen.read_text()
        assert made.uri in text, text
        seen.write_text(text.replace(made.uri, lake.uri))


def pin(index: Any, **values: Any) -> str:
    from pinterest_spark.rows.schemas import WIRE

    row = dict.fromkeys(name for name in WIRE["pin"].names if name != "index")
    return json.dumps({"index": index, **row, **values}, ensure_ascii=False)


def geo(ind: Any, **values: Any) -> str:
    row = {"timestamp": "2020-05-06T07:08:09", "latitude": 1.5, "longitude": -2.5, "country": "Korea"}
    return json.dumps({"ind": ind, **row, **values}, ensure_ascii=False)


def user(ind: Any, **values: Any) -> str:
    row = {"first_name": "Ada", "last_name": "Byron", "age": 30, "date_joined": "2016-01-02T03:04:05"}
    return json.dumps({"ind": ind, **row, **values}, ensure_ascii=False)


PAYLOADS = {"pin": pin, "geo": geo, "user": user}


@pytest.fixture
def envelope_of() -> Callable[..., str]:
    """Return a function ``(table, id, offset, …)`` that makes a line of a good row of the table."""

    def make(table: str, ident: int, offset: int, *, later_ms: int = 0, partition: int = 0, **values: Any) -> str:
        return envelope(table, PAYLOADS[table](ident, **values), offset, partition, later_ms)

    return make


@pytest.fixture
def broken_envelope_of() -> Callable[..., str]:
    """Return a function ``(table, payload, offset)`` that makes a line around any payload."""
    return envelope


@pytest.fixture(scope="session")
def refined(spark: Any) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that sends payloads through parse, validate and clean, and returns a dict a row, in order."""

    def run(table: str, payloads: list[str | None], arrived_at: str = "2026-11-24 10:00:00") -> list[dict[str, Any]]:
        from pyspark.sql import functions as sf

        from pinterest_spark.rows.rules import refine

        rows = spark.createDataFrame(list(enumerate(payloads)), "_number int, _payload string")
        rows = rows.withColumn("_arrived_at", sf.lit(arrived_at).cast("timestamp"))
        return [row.asDict() for row in sorted(refine(rows, table).collect(), key=lambda row: row._number)]

    return run


@pytest.fixture(scope="session")
def payload_of() -> dict[str, Callable[..., str]]:
    return dict(PAYLOADS)
