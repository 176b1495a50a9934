"""How much a run of the batch does, in counts that hold on any machine: they may fall, and rise only on purpose."""

from pathlib import Path

import pytest

from pinterest_spark.lakehouse import bronze, gold, silver, staging
from pinterest_spark.lakehouse.offsets import OffsetRange

TABLES = ("pin", "geo", "user")
MOST_JOBS = {"bronze": 15, "silver": 50, "gold": 45}  # of a warm run: 12, 41 to 44, and 38 with four answers changed
MOST_JOBS_OF_NOTHING_NEW = 10


@pytest.fixture
def run(spark, lake, monkeypatch):
    """Return a function that runs the three stages; it returns jobs and commits by stage, and the answers written."""
    loads = [staging.Load()]
    monkeypatch.setattr(staging, "last_load", lambda _: loads[-1])
    monkeypatch.setattr(staging, "stage", lambda _url, _rows, load: loads.append(load))
    for name in ("forget", "confirm"):
        monkeypatch.setattr(staging, name, lambda *_: None)
    delta = Path(lake.uri.removeprefix("file://")) / "delta"

    def commits():
        return len(list(delta.rglob("_delta_log/*.json")))

    def stages(first, last):
        sent = {table: [OffsetRange(0, first, last)] for table in TABLES} if last > first else {}
        found, written = {}, []
        for work in (
            lambda: bronze.run(spark, lake, "pinterest"),
            lambda: silver.run(spark, lake, "pinterest", sent),
            lambda: gold.run(spark, lake, ""),
        ):
            before = commits()
            result = work()
            found[result["stage"]] = (result["work"]["spark_jobs"], commits() - before)
            written = result.get("written", [])
        return found, written

    return stages


def test_a_run_does_no_more_than_it_has_to(run, land, envelope_of):
    def post(first, last, country):
        for table in TABLES:
            values = {"geo": {"country": country}, "pin": {"category": "art"}}.get(table, {})
            land(table, *(envelope_of(table, number, number, **values) for number in range(first, last)))

    post(0, 5, "Korea")
    run(0, 4)
    post(5, 10, "Korea")

    warm, written = run(5, 9)
    again, written_again = run(0, 0)

    assert {stage: jobs for stage, (jobs, _) in warm.items() if jobs > MOST_JOBS[stage]} == {}
    assert {stage: commits for stage, (_, commits) in warm.items()} == {"bronze": 3, "silver": 6, "gold": len(written)}
    assert 0 < len(written) < 10
    assert sum(jobs for jobs, _ in again.values()) <= MOST_JOBS_OF_NOTHING_NEW
    assert {commits for _, commits in again.values()} == {0}
    assert written_again == []
