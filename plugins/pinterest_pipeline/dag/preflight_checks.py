"""What the pipeline needs before its first run: each check reads, changes nothing, and says what to do.

The hooks' errors name their remedies; a check turns them into lines, so that one fault does not hide the others.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pinterest_pipeline.common.compat import AirflowException
from pinterest_pipeline.dag.defaults import WAREHOUSE
from pinterest_pipeline.dag.settings import pipeline_variable
from pinterest_pipeline.kafka_rest.topics import differences, read_topics_file
from pinterest_pipeline.kinesis.plan import missing_stream, read_streams_file
from pinterest_pipeline.warehouse.errors import database_errors
from pinterest_pipeline.warehouse.migrations import IS_TABLE_THERE, READ, MigrationError, plan, read_migrations

NEEDED = (  # of the Variable, by the DAGs' templates
    *("bucket", "lake_uri", "topic_prefix"),
    *("connector.name", "connector.plugin_arn", "connector.plugin_revision", "connector.service_role_arn"),
    *("connector.bootstrap_servers", "connector.subnets", "connector.security_groups", "connector.log_group"),
    "connector.rotate_schedule_interval_ms",
    *("databricks.notebook_root", "databricks.cluster"),
    *("databricks.warehouse_url_scope", "databricks.warehouse_url_key"),
    *("stream.job_name", "stream.checkpoint_uri", "stream.stale_after_seconds", "stream.start_within_seconds"),
)
NOTEBOOKS = (
    *("bronze", "silver", "gold", "reprocess"),
    *("stream_posts", "compare_stream_with_silver", "backfill_stream_from_silver"),
)
SOURCE = "pinterest_source"
SOURCE_TABLES = ("pinterest_data", "geolocation_data", "user_data")
READABLE = """SELECT CASE WHEN to_regclass(%(name)s) IS NULL THEN 'does not exist: load the source, or correct `schema`'
    WHEN NOT has_table_privilege(to_regclass(%(name)s), 'SELECT') THEN 'may not be read: GRANT SELECT to the role'
    END"""
MAY_CREATE = "SELECT has_database_privilege(current_database(), 'CREATE')"


@dataclass(frozen=True)
class World:
    """What a check reads.

    :param value: From a path of the Variable to its value, as :func:`pipeline_variable` returns it.
    :param include: Folder of what is declared.
    """

    value: Callable[..., Any]
    include: Path


@dataclass(frozen=True)
class Line:
    """One thing that was checked.

    :param found: What is there; where that is a fault, also what to do.
    """

    part: str
    what: str
    ok: bool
    found: str


def check_all(var: Any, include: Path) -> list[Line]:
    """Run every check; ``var`` is Airflow's, ``include`` the folder of what is declared.

    About 25 requests and 10 queries, each with its own bound.
    """
    lines = list(guarded("Variable", "pinterest_pipeline", lambda: variable_lines(pipeline_variable(var))))
    for part, check in CHECKS.items():
        lines += guarded(part, "all", partial(read_and_check, check, var, include))
    return lines


def read_and_check(check: Callable[[World], Iterator[Line]], var: Any, include: Path) -> Iterator[Line]:
    yield from check(World(pipeline_variable(var), include))


def guarded(part: str, what: str, check: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    """Yield the lines of a check; an error that ends it is one more."""
    try:
        yield from check()
    except (AirflowException, MigrationError, OSError) as error:
        yield Line(part, what, ok=False, found=" ".join(str(error).split()))


def line_of(part: str, what: str, check: Callable[[], Any]) -> Line:
    """Return the line of a check that returns what it found, or raises."""
    (line,) = guarded(part, what, lambda: iter([Line(part, what, ok=True, found=check())]))
    return line


def tested(part: str, what: str, answer: tuple[bool, str]) -> Line:
    return Line(part, what, *answer)


def variable_lines(value: Callable[..., Any]) -> Iterator[Line]:
    lines = [line_of("Variable", path, partial(value, path)) for path in NEEDED]
    missing = [line for line in lines if not line.ok]
    yield from missing or [Line("Variable", "pinterest_pipeline", ok=True, found=f"all {len(NEEDED)} needed keys")]


def source(_: World) -> Iterator[Line]:
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - slows DAG parsing

    hook = PipelinePostgresHook(SOURCE)
    hook.log_sql = False
    with database_errors(f"Connection {SOURCE}"):
        found = {table: hook.get_first(READABLE, {"name": table})[0] for table in SOURCE_TABLES}
    for table, fault in found.items():
        yield Line("source", table, ok=not fault, found=fault or "may be read")


def warehouse(world: World) -> Iterator[Line]:
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - slows DAG parsing

    hook = PipelinePostgresHook(WAREHOUSE)
    hook.log_sql = False
    with database_errors(f"Connection {WAREHOUSE}"):
        (may_create,) = hook.get_first(MAY_CREATE)
        (is_there,) = hook.get_first(IS_TABLE_THERE)
        applied = dict(hook.get_records(READ)) if is_there else {}
    found = (
        "the role may create schemas" if may_create else "GRANT CREATE ON DATABASE to the role, or make it the owner"
    )
    yield Line("warehouse", "rights", ok=may_create, found=found)
    pending = plan(applied, read_migrations(world.include / "sql" / "migrations"))
    said = f"{len(applied)} applied" + (f", {len(pending)} to come with the next run" if pending else "")
    yield Line("warehouse", "migrations", ok=True, found=said)


def topics(world: World) -> Iterator[Line]:
    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - slows DAG parsing
    from pinterest_pipeline.kafka_rest.topics_api import TopicsApi  # noqa: PLC0415 - as above

    hook = KafkaRestHook(max_attempts=2, first_wait_seconds=0.5, max_wait_seconds=1)
    values = {"prefix": world.value("topic_prefix"), "replication_factor": world.value("kafka_replication_factor", 3)}
    declared = read_topics_file(world.include / "kafka" / "topics.json", values)
    there = set(hook.topics())
    has_v3 = world.value("check_topics", True) is not False
    found = TopicsApi(hook.call_v3).find(topic.name for topic in declared) if has_v3 else {}
    for topic in declared:
        said = differences(topic, found[topic.name]) if topic.name in found else []
        if topic.name not in there:
            said = ["does not exist: unpause DAG pinterest_sink_connector, which creates it, or create it by hand"]
        yield Line("topic", topic.name, ok=not said, found="; ".join(said) or f"{topic.partitions} partitions")


def lake(world: World) -> Iterator[Line]:
    from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - slows DAG parsing

    yield tested("lake", world.value("bucket"), LakeHook(world.value("bucket")).test_connection())


def connector(world: World) -> Iterator[Line]:
    from pinterest_pipeline.msk_connect.hook import MskConnectHook  # noqa: PLC0415 - slows DAG parsing

    hook = MskConnectHook()
    arn, revision = world.value("connector.plugin_arn"), int(world.value("connector.plugin_revision"))
    yield line_of(
        "plugin", arn.rpartition("/")[0].rpartition("/")[2] or arn, lambda: hook.require_plugin(arn, revision)
    )
    name = world.value("connector.name")
    health = hook.snapshot(name, [], world.value("msk_cluster_name", "") or None)
    if health is None:
        found = "does not exist: unpause DAG pinterest_sink_connector, which creates it"
    elif health.state != "RUNNING":
        found = f"is {health.state} {health.state_reason}: read the task log of DAG pinterest_sink_connector"
    else:
        found = ""
    yield Line("connector", name, ok=not found, found=found or "is RUNNING, and its metrics may be read")


def streams(world: World) -> Iterator[Line]:
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - slows DAG parsing

    hook = KinesisStreamHook()

    def state(name: str) -> str:
        if (found := hook.find(name)) is None:
            raise missing_stream(name)
        return f"is {found.status}, {found.open_shard_count} shards"

    declared = read_streams_file(world.include / "kinesis" / "streams.json", {"prefix": world.value("topic_prefix")})
    for stream in declared.values():
        yield line_of("stream", stream.name, partial(state, stream.name))


def databricks(world: World) -> Iterator[Line]:
    from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - slows DAG parsing

    hook = DatabricksRunHook()
    works = tested("databricks", "connection", hook.test_connection())
    yield works
    if not works.ok:
        return
    root = world.value("databricks.notebook_root")

    def notebook(name: str) -> str:
        hook.check_notebook(f"{root}/{name}")
        return f"{root}/{name}"

    for name in NOTEBOOKS:
        yield line_of("notebook", name, partial(notebook, name))
    scope, key = world.value("databricks.warehouse_url_scope"), world.value("databricks.warehouse_url_key")
    yield line_of("secret", f"{scope}/{key}", lambda: hook.require_secret(scope, key))


def pool_lines(begun: Mapping[str, bool]) -> Iterator[Line]:
    """Yield a line for each pool: whether a task in it has begun."""
    for pool, has_begun in begun.items():
        remedy = "no task in it begins: airflow pools import include/airflow/pools.json; or all its slots are in use"
        yield Line("pool", pool, ok=has_begun, found="has a free slot" if has_begun else remedy)


CHECKS: dict[str, Callable[[World], Iterator[Line]]] = {
    "source": source,
    "warehouse": warehouse,
    "topics": topics,
    "lake": lake,
    "connector": connector,
    "streams": streams,
    "databricks": databricks,
}
