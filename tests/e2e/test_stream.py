"""The stream under Airflow, as a person and a plain boto3 client see it; its driver is killed on the way.

Nothing here asks the code under test what it did: records are put and read back with boto3, rows are counted by SQL.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from databricks.sdk import WorkspaceClient

from sandbox.demo.demo import failures
from sandbox.run.supervision import members
from tests.e2e.conftest import Pipeline, eventually

SUPERVISOR = "pinterest_stream_supervisor"
STREAMS_DAG = "pinterest_kinesis_streams"
JOB = "pinterest-stream-posts"
TABLES = ("pin", "geo", "user")
POSTS = 30
FIRST_POST = 900_000  # ids that no other test uses
REPLACED_WITHIN_SECONDS = 60


class Stream:
    """The three streams from outside."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.kinesis = pipeline.aws("kinesis")
        token = pipeline.settings.secrets["databricks_token"]
        self.databricks = WorkspaceClient(host=pipeline.settings.url("databricks"), token=token)

    def put(self, first: int, count: int) -> None:
        """Put posts, each record twice, and in each stream one record that no row can be made of."""
        for table in TABLES:
            rows = [record(table, ind) for ind in range(first, first + count)] * 2
            entries = [{"Data": json.dumps(row).encode(), "PartitionKey": str(n)} for n, row in enumerate(rows)]
            entries.append({"Data": b'{"truncated": ', "PartitionKey": "x"})
            answer = self.kinesis.put_records(StreamName=name_of(table), Records=entries)
            assert answer["FailedRecordCount"] == 0

    def record_count(self, table: str) -> int:
        """Read the whole stream, every shard from its beginning."""
        count = 0
        for shard in self.kinesis.list_shards(StreamName=name_of(table))["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=name_of(table), ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = self.kinesis.get_records(ShardIterator=iterator, Limit=10_000)
                count += len(page["Records"])
                iterator = page.get("NextShardIterator") if page["MillisBehindLatest"] else None
        return count

    def outcomes(self, table: str) -> tuple[int, int, int]:
        """Rows, duplicates, and quarantined records, by plain SQL."""
        query = self.pipeline.query
        ((rows,),) = query("pinterest_warehouse", f'SELECT count(*) FROM stream."{table}"')
        quarantine = f"SELECT count(*) FROM stream.quarantine WHERE stream = '{name_of(table)}'"
        ((quarantined,),) = query("pinterest_warehouse", quarantine)
        duplicates = f"SELECT coalesce(sum(duplicate_count), 0) FROM stream.progress WHERE query = 'stream_{table}'"
        ((duplicate,),) = query("pinterest_warehouse", duplicates)
        return rows, int(duplicate), quarantined

    def next_post(self) -> int:
        """Return an id that no post has yet."""
        ((newest,),) = self.pipeline.query("pinterest_warehouse", "SELECT coalesce(max(ind), 0) FROM stream.post")
        return int(max(newest + 1, FIRST_POST))

    def whole_posts(self, first: int, count: int) -> int:
        where = f"ind >= {first} AND ind < {first + count}"
        return int(self.pipeline.query("pinterest_warehouse", f"SELECT count(*) FROM stream.post WHERE {where}")[0][0])

    def active_runs(self) -> list[int]:
        jobs = list(self.databricks.jobs.list(name=JOB))
        assert len(jobs) <= 1
        runs = self.databricks.jobs.list_runs(job_id=jobs[0].job_id) if jobs else []
        return [run.run_id for run in runs if run.state.result_state is None]

    def driver(self, run_id: int) -> psutil.Process:
        """The driver process of a run's cluster, in this sandbox: another's may have a cluster of the same name."""
        task = self.databricks.jobs.get_run(run_id).tasks[0]
        name = f"job-cluster-{task.cluster_instance.cluster_id}"
        return next(process for process in members(self.pipeline.settings.home) if is_driver(process, name))

    def supervisor_runs(self, *states: str) -> list[dict[str, Any]]:
        return [run for run in self.pipeline.api.runs(SUPERVISOR) if run["state"] in states]

    def request(self, **params: bool) -> None:
        """Trigger the supervisor with params, and wait until that run has done what they request."""
        run_id = self.pipeline.api.trigger(SUPERVISOR, params)

        def launched() -> str | None:
            tasks = {t["task_id"]: t["state"] for t in self.pipeline.api.task_instances(SUPERVISOR, run_id)}
            return (
                tasks.get("launch_stream") if tasks.get("launch_stream") in {"success", "skipped", "failed"} else None
            )

        state = eventually(launched, f"{run_id} of {SUPERVISOR} has taken {params}", seconds=150)
        assert state != "failed", failures(self.pipeline.api, SUPERVISOR, run_id)


def is_driver(process: psutil.Process, cluster_name: str) -> bool:
    try:
        arguments, environment = process.cmdline(), process.environ()
    except psutil.Error:  # it has just ended
        return False
    return (
        "sandbox.servers.databricks.driver" in arguments and environment.get("DATABRICKS_CLUSTER_NAME") == cluster_name
    )


def name_of(table: str) -> str:
    return f"streaming-pinterest-{table}"


def record(table: str, ind: int) -> dict[str, Any]:
    """A record as on the wire."""
    return {
        "pin": {
            "index": ind, "unique_id": f"id-{ind}", "title": "A title", "description": "Words", "poster_name": "Ann",
            "follower_count": "12k", "tag_list": "a,b", "is_image_or_video": "image", "image_src": "https://i/x.jpg",
            "downloaded": 1, "save_location": "Local save in /data/art", "category": "art",
        },
        "geo": {"ind": ind, "timestamp": "2020-01-02T03:04:05", "latitude": 1.5, "longitude": 2.5, "country": "Fiji"},
        "user": {"ind": ind, "first_name": "Ann", "last_name": "B", "age": 30, "date_joined": "2016-01-02T03:04:05"},
    }[table]  # fmt: skip


@pytest.fixture(scope="module")
def stream(pipeline: Pipeline) -> Iterator[Stream]:
    """The streams made by their DAG and the supervisor at work."""
    seen = Stream(pipeline)
    pipeline.api.unpause(STREAMS_DAG)
    eventually(lambda: all(is_active(seen, table) for table in TABLES), f"{STREAMS_DAG} made the streams", seconds=240)
    pipeline.api.unpause(SUPERVISOR)
    seen.request(action="resume")  # an earlier run of this module has left it stopped
    yield seen
    seen.request(action="stop")
    pipeline.api.call("PATCH", f"dags/{SUPERVISOR}", params={"update_mask": "is_paused"}, json={"is_paused": True})
    assert seen.active_runs() == []


def is_active(stream: Stream, table: str) -> bool:
    try:
        summary = stream.kinesis.describe_stream_summary(StreamName=name_of(table))
    except stream.kinesis.exceptions.ResourceNotFoundException:
        return False
    return bool(summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")


def test_a_killed_stream_is_replaced_by_exactly_one_and_every_record_is_accounted_for(stream: Stream) -> None:
    first = stream.next_post()
    stream.put(first, POSTS)
    eventually(lambda: stream.whole_posts(first, POSTS) == POSTS, "the first posts are committed", seconds=240)
    (before,) = stream.active_runs()

    stream.put(first + POSTS, POSTS)
    stream.driver(before).kill()
    killed = time.monotonic()
    (after,) = eventually(
        lambda: [run_id for run_id in stream.active_runs() if run_id != before],
        "Databricks has another active run",
        seconds=2 * REPLACED_WITHIN_SECONDS,
    )
    replaced = time.monotonic() - killed
    eventually(lambda: watches(stream, after), "the supervisor watches it", seconds=2 * REPLACED_WITHIN_SECONDS)
    print(f"replaced after {replaced:.1f} s, watched after {time.monotonic() - killed:.1f} s")

    eventually(lambda: stream.whole_posts(first, 2 * POSTS) == 2 * POSTS, "all posts are committed", seconds=240)
    eventually(lambda: all(adds_up(stream, table) for table in TABLES), "the counts match", seconds=60)
    assert stream.active_runs() == [after]
    assert len(stream.supervisor_runs("running")) == 1
    assert replaced < REPLACED_WITHIN_SECONDS


def watches(stream: Stream, run_id: int) -> bool:
    """Whether an active run of the supervisor has launched, or attached to, a run and now watches it."""
    for run in stream.supervisor_runs("running"):
        tasks = {t["task_id"]: t["state"] for t in stream.pipeline.api.task_instances(SUPERVISOR, run["dag_run_id"])}
        if tasks.get("launch_stream") == "success" and tasks.get("watch_stream") in {"running", "deferred"}:
            path = f"dags/{SUPERVISOR}/dagRuns/{run['dag_run_id']}/taskInstances/launch_stream/xcomEntries/return_value"
            launched = stream.pipeline.api.call("GET", path, params={"deserialize": True})["value"]
            return bool(launched["run_id"] == run_id)
    return False


def adds_up(stream: Stream, table: str) -> bool:
    """Records = rows + duplicates + quarantined, records counted by boto3 and the rest by SQL."""
    rows, duplicates, quarantined = stream.outcomes(table)
    return stream.record_count(table) == rows + duplicates + quarantined and quarantined >= 2


def test_each_death_raised_one_alarm_that_names_the_stream_and_its_last_good_batch(stream: Stream) -> None:
    failed = eventually(lambda: stream.supervisor_runs("failed"), "the run that saw the death is red", seconds=60)
    tasks = stream.pipeline.api.task_instances(SUPERVISOR, failed[0]["dag_run_id"])
    states = Counter(task["state"] for task in tasks)
    watch = next(task for task in tasks if task["task_id"] == "watch_stream")

    log = stream.pipeline.api.log_tail(SUPERVISOR, failed[0]["dag_run_id"], watch, lines=60)

    assert states["failed"] == 1
    line = next(line for line in log.splitlines() if line.startswith("pipeline_task_failed "))
    alarm = json.loads(line.removeprefix("pipeline_task_failed "))
    assert alarm["stream"].endswith("-stream-posts")  # Airflow masks the word that is also a login here
    assert alarm["state"] == "dead"
    assert alarm["last_good_batch"].keys() == alarm["lag_ms"].keys() == {f"stream_{table}" for table in TABLES}
    assert "/runs/" in alarm["run_page_url"]


def test_a_stopped_stream_stays_stopped_over_scheduled_runs_until_it_is_wanted_again(stream: Stream) -> None:
    stream.request(action="stop")
    assert stream.active_runs() == []
    count = len(stream.supervisor_runs("success"))

    eventually(lambda: len(stream.supervisor_runs("success")) >= count + 1, "a scheduled run has ended", seconds=150)
    assert stream.active_runs() == []
    stream.request(action="resume")

    assert len(eventually(stream.active_runs, "the stream runs again", seconds=60)) == 1
