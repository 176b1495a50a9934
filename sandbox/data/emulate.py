"""``python -m sandbox emulate``: emulated users post through Kinesis and, with an option, through Kafka as well."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sandbox.data.emulate_senders import KafkaSender, KinesisSender
from sandbox.data.source.command import whole_number
from sandbox.run.settings import CALL_SECONDS, PROJECT, SandboxError, Settings

sys.path.append(str(PROJECT / "plugins"))  # the emulation itself is the product's, and pure
from pinterest_pipeline.common.records import Record, row_encoder
from pinterest_pipeline.common.tables import KEYS, TABLES
from pinterest_pipeline.emulator.plan import Emission, Mode, Plan
from pinterest_pipeline.emulator.run import Emulation

SQL = PROJECT / "include" / "sql" / "emulation"
SECONDS_PER_LINE = 5.0
COLUMNS = (
    TextColumn("emulate"),
    BarColumn(),
    TaskProgressColumn(),
    TextColumn("{task.completed}/{task.total} posts · {task.fields[records]} records · {task.fields[pace]}"),
    TimeRemainingColumn(),
)
type Watch = Callable[[Emulation], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=10.0, help="posts a second, three records each (%(default)s)")
    parser.add_argument("--count", type=whole_number, default=600, help="posts to send at most (%(default)s)")
    parser.add_argument(
        "--mode",
        choices=[str(mode) for mode in Mode],
        default=str(Mode.SHUFFLED),
        help="shuffled: each post of the source once; classic: drawn with replacement (%(default)s)",
    )
    parser.add_argument("--seed", type=whole_number, default=7, help="the same seed sends the same (%(default)s)")
    parser.add_argument("--start", type=whole_number, default=0, help="position to go on from (%(default)s)")
    parser.add_argument("--duration", type=float, default=None, metavar="SECONDS", help="end after so long")
    parser.add_argument("--duplicates", type=float, default=0.0, help="part of the records sent twice, 0 to 1")
    parser.add_argument("--malformed", type=float, default=0.0, help="part of the records with a broken copy, 0 to 1")
    parser.add_argument("--late", type=float, default=0.0, help="part of the records that come late, 0 to 1")
    parser.add_argument("--late-seconds", type=float, default=30.0, help="how late those come (%(default)s)")
    parser.add_argument("--reorder", type=whole_number, default=0, metavar="POSTS", help="window of reordering")
    parser.add_argument(
        "--aggregate",
        type=whole_number,
        default=1,
        metavar="RECORDS",
        help="send aggregates of so many records, as the Kinesis Producer Library does; 1 = none (%(default)s)",
    )
    parser.add_argument("--also-kafka", action="store_true", help="send each row to its Kafka topic too")


def plan_of(options: argparse.Namespace) -> Plan:
    try:
        return Plan(
            rate=options.rate,
            count=options.count,
            mode=options.mode,
            seed=options.seed,
            start=options.start,
            duration_seconds=options.duration,
            duplicates=options.duplicates,
            malformed=options.malformed,
            late=options.late,
            late_seconds=options.late_seconds,
            reorder_window=options.reorder,
        )
    except ValueError as error:
        raise SandboxError(str(error)) from error


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Send what ``options`` ask for; Ctrl-C ends the run after the records in hand and says how to go on."""
    plan = plan_of(options)
    stop = threading.Event()
    with stopping_on_interrupt(stop):
        kinesis = KinesisSender(settings, options.aggregate)
        emulation = emulate(settings, plan, stop, also_kafka=options.also_kafka, kinesis=kinesis, watched=shown)
    say_result(emulation)
    return 0


def emulate(
    settings: Settings,
    plan: Plan,
    stop: threading.Event,
    *,
    also_kafka: bool = False,
    kinesis: KinesisSender | None = None,
    watched: Callable[[Emulation], Any] = lambda _: nullcontext(lambda _: None),
) -> Emulation:
    """Carry out a plan against a sandbox that is up and seeded; returns the finished emulation.

    :param kinesis: Remembers every acknowledged record, where the caller wants to know them.
    :param watched: Returns the context whose value is called after each sending.
    :raises SandboxError: what is missing, or what stopped it and where to go on.
    """
    kinesis = kinesis or KinesisSender(settings)
    kinesis.check_streams()
    kafka = KafkaSender(settings) if also_kafka else None
    with source(settings) as database:
        ids = read_ids(database)

        def send(table: str, emissions: Sequence[Emission]) -> None:
            kinesis.send(table, emissions)
            if kafka is not None:
                kafka.send(table, emissions)

        emulation = Emulation(plan, ids, lambda some: read_rows(database, some), send, wait=stop.wait)
        with watched(emulation) as watch:
            emulation.on_progress = watch
            try:
                emulation.run()
            except (SandboxError, psycopg.Error) as error:
                raise SandboxError(f"{error} Go on with --start {emulation.resume_position}.") from error
    return emulation


@contextmanager
def source(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    try:
        connection = psycopg.connect(
            settings.postgres_url("pinterest_source"), connect_timeout=CALL_SECONDS, autocommit=True
        )
    except psycopg.OperationalError as error:
        raise SandboxError(
            f"Cannot read posts: PostgreSQL on port {settings.ports['postgres']} said: {str(error).splitlines()[0]}. "
            "Start it with `python -m sandbox up`."
        ) from error
    with connection:
        yield connection


def read_ids(database: psycopg.Connection[Any]) -> list[int]:
    try:
        ids = [row[0] for row in database.execute(statement("ids")).fetchall()]
    except psycopg.errors.UndefinedTable:
        ids = []
    if not ids:
        raise SandboxError("The source holds no posts: load some with `python -m sandbox seed`.")
    return ids


def read_rows(database: psycopg.Connection[Any], ids: Sequence[int]) -> dict[str, dict[int, bytes]]:
    """Return the rows of some posts as the JSON of the wire, by table and id."""
    rows: dict[str, dict[int, bytes]] = {}
    for table in TABLES:
        found = database.execute(statement(table), {"ids": list(ids)})
        encode = row_encoder([column.name for column in found.description or ()], KEYS[table])
        encoded = {row[0]: encode(row) for row in found}
        rows[table] = {post: record.value for post, record in encoded.items() if isinstance(record, Record)}
    return rows


def statement(name: str) -> Any:
    return Path(SQL / f"{name}.sql").read_text()


@contextmanager
def stopping_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Take the first Ctrl-C for a request to stop; the second one is as rude as ever."""

    def ask(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def shown(emulation: Emulation) -> Iterator[Watch]:
    """Show the run: a line that moves in a terminal, a line now and then elsewhere."""
    if not sys.stdout.isatty():
        yield every_now_and_then()
        return
    with Progress(*COLUMNS) as progress:
        task = progress.add_task("emulate", total=emulation.end - emulation.plan.start, records=0, pace="")
        yield lambda now: progress.update(task, completed=now.counts["posts"], records=now.put.total(), pace=pace(now))


def every_now_and_then() -> Watch:
    next_line = time.monotonic() + SECONDS_PER_LINE

    def show(now: Emulation) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + SECONDS_PER_LINE
            print(f"emulate: {now.counts['posts']:,} posts, {now.put.total():,} records, {pace(now)}", flush=True)

    return show


def pace(now: Emulation) -> str:
    return f"{now.counts['posts'] / now.seconds if now.seconds else 0:.1f} posts/s"


def say_result(emulation: Emulation) -> None:
    done = emulation.summary()
    malformed = sum(done["malformed"].values())
    print(
        f"emulate: {done['posts']:,} posts in {done['seconds']:.1f} s, {sum(done['put'].values()):,} records: "
        f"{done['rows']:,} rows, {done['duplicates']:,} duplicates, {malformed:,} malformed "
        f"({done['late']:,} late, {done['reordered']:,} out of order)"
    )
    if done["exhausted"]:
        print("emulate: every post of the source has been sent; another --seed gives another order")
    else:
        stopped = "stopped; " if emulation.was_stopped else ""
        print(f"emulate: {stopped}go on with the same --seed and --mode and --start {done['next_position']}")
