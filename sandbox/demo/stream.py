"""The demo's stream: launched and watched by Airflow, fed by emulated users while the batch runs, then compared."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg

from sandbox.data.emulate import Plan, emulate
from sandbox.data.emulate_senders import STREAM_DAG, KinesisSender, Put
from sandbox.demo import report_stream
from sandbox.demo.progress import progress
from sandbox.run.settings import SandboxError, Settings
from sandbox.servers.airflow.api import AirflowApi

SUPERVISOR_DAG = "pinterest_stream_supervisor"
COMPARISON_DAG = "pinterest_stream_comparison"
DAGS = (STREAM_DAG, SUPERVISOR_DAG, COMPARISON_DAG)
# One record in twenty comes twice, one in fifty with a broken copy: the report shows what became of both
PLAN = Plan(rate=10, count=600, duplicates=0.05, malformed=0.02)
LEAD_IN_POSTS = 20  # sent and committed first, so that the latency is the stream's and not its start's


class Emulated(NamedTuple):
    """What the users did: a summary of the plan, the acknowledged records of it, and when the first record went."""

    summary: dict[str, Any]
    acknowledged: list[Put]
    began_at: str


def begin(settings: Settings, api: AirflowApi) -> None:
    """Let Airflow make the streams, and then launch the notebook that reads them."""
    api.unpause(STREAM_DAG)
    sender = KinesisSender(settings)
    progress.wait(f"{STREAM_DAG} to make the streams", lambda: streams_exist(sender))
    api.unpause(SUPERVISOR_DAG)


def emulate_meanwhile(settings: Settings) -> "tuple[ThreadPoolExecutor, Future[Emulated]]":
    """Emulate beside the caller; the future is done when every post is sent."""
    pool = ThreadPoolExecutor(1)
    return pool, pool.submit(emulate_posts, settings)


def emulate_posts(settings: Settings) -> Emulated:
    """Send some posts, wait until the stream has committed them, then send the rest at their rate."""
    sender = KinesisSender(settings)
    began_at = datetime.now(UTC).isoformat()
    never = threading.Event()
    emulate(settings, replace(PLAN, count=LEAD_IN_POSTS), never, kinesis=sender)
    wait_until_caught_up("the stream to commit its first posts", settings)
    measured = len(sender.acknowledged)
    progress.say(f"  users post at {PLAN.rate:.0f} posts/s through Kinesis")
    emulation = emulate(settings, replace(PLAN, start=LEAD_IN_POSTS), never, kinesis=sender)
    return Emulated(emulation.summary(), sender.acknowledged[measured:], began_at)


def streams_exist(sender: KinesisSender) -> bool:
    try:
        sender.check_streams()
    except SandboxError:
        return False
    return True


def wait_until_caught_up(what: str, settings: Settings) -> None:
    """Wait until every record that the streams hold now has been committed, by the warehouse's word."""
    put = report_stream.records_put(settings)  # once: it reads the streams whole
    progress.wait(what, lambda: has_committed(settings, put))


def has_committed(settings: Settings, put: Mapping[str, int]) -> bool:
    try:
        committed = report_stream.records_committed(settings)
    except (psycopg.errors.UndefinedTable, psycopg.OperationalError):  # it is not there yet, or starts again
        return False
    return all(committed.get(table, 0) >= put[table] for table in put)


def finish(settings: Settings, api: AirflowApi, emulated: Emulated) -> dict[str, Any]:
    """Wait until all is committed, have stream and silver compared, and return the report's part ``stream``."""
    began = time.monotonic()
    with progress.step("the stream catches up"):
        wait_until_caught_up("the stream to catch up", settings)
    caught_up = time.monotonic() - began
    with progress.step("compare stream and silver"):
        api.unpause(COMPARISON_DAG)
        run_id = api.trigger(COMPARISON_DAG, {"since": emulated.began_at})
        progress.wait(
            "the comparison of stream and silver",
            lambda: api.run_state(COMPARISON_DAG, run_id) in {"success", "failed"},
        )
    compared = api.xcom(COMPARISON_DAG, run_id, "compare_stream_with_silver")
    collected = report_stream.collect(settings, emulated.summary, emulated.acknowledged, compared)
    return {**collected, "seconds": {"caught_up": round(caught_up, 1), "all": round(time.monotonic() - began, 1)}}
