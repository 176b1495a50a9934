"""The Databricks jobs of the batch: what their files say, and what their runs are given."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from pinterest_pipeline.common.tables import TABLES
from pinterest_pipeline.dag import assets, lakehouse
from pinterest_pipeline.databricks.jobs import read_job_file
from pinterest_pipeline.databricks.start import MAX_PARAMETER_BYTES, run_parameters

PROJECT = Path(__file__).resolve().parents[2]
INCLUDE = PROJECT / "include"
OF_THE_RUNTIME = ("pyspark", "delta-spark", "pyarrow", "pandas", "boto3")
FILES = sorted((INCLUDE / "databricks").glob("*_job.json"))
CLUSTER = {"num_workers": 2}
OFFSETS = {"pin": {"sent_from": "a", "sent_until": "b", "offsets": [[0, 1, 2]]}}


def job(name, values):
    texts = {key: CLUSTER if key == "cluster" else f"the-{key}" for key in values}
    return read_job_file(INCLUDE / "databricks" / name, texts)


@pytest.fixture
def lakehouse_job():
    return job("lakehouse_job.json", lakehouse.JOB_VALUES)


def test_each_stage_waits_for_the_one_before_on_the_one_cluster_of_the_job(lakehouse_job):
    waits = {task["task_key"]: [d["task_key"] for d in task.get("depends_on", [])] for task in lakehouse_job["tasks"]}

    assert waits == {"bronze": [], "silver": ["bronze"], "reprocess": ["silver"], "gold": ["reprocess"]}
    assert lakehouse_job["job_clusters"] == [{"job_cluster_key": "lakehouse", "new_cluster": CLUSTER}]
    assert {task["job_cluster_key"] for task in lakehouse_job["tasks"]} == {"lakehouse"}
    assert [task["notebook_task"]["notebook_path"] for task in lakehouse_job["tasks"]] == [
        f"the-notebook_root/{stage}" for stage in waits
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_service_keeps_two_runs_of_a_job_apart(file):
    settings = json.loads(file.read_text())

    assert settings["max_concurrent_runs"] == 1
    assert settings.get("queue", {"enabled": False}) == {"enabled": False}


def test_the_jobs_parameters_are_the_widgets_of_its_notebooks(lakehouse_job):
    declared = {parameter["name"] for parameter in lakehouse_job["parameters"]}
    read = {"stages", "requested_by"}
    for task in lakehouse_job["tasks"]:
        notebook = (INCLUDE / "spark" / "notebooks" / f"{task['task_key']}.py").read_text()
        read |= {name for name in declared if f'"{name}"' in notebook}

    assert declared == read


@pytest.mark.parametrize("made", [assets.LAKE, assets.REPROCESSED, assets.REDRIVEN], ids=["batch", "again", "redrive"])
def test_a_run_takes_the_stages_that_are_followed(lakehouse_job, made):
    started = lakehouse.run_stages("t", INCLUDE, made, {"window_start": "2026-11-25T00:00:00"})
    followed = lakehouse.follow_stages(1, made, stage_limit=timedelta(minutes=1))

    parameters = run_parameters(lakehouse_job, started.job_parameters, "me")
    keys = [task["task_key"] for task in lakehouse_job["tasks"]]
    assert parameters["stages"].split(",") == list(followed) == [key for key in keys if key in made]


def test_acknowledged_offsets_travel_as_an_object_of_the_lake(store):
    place = {"bucket": "b", "lake_uri": "s3a://b", "dag_id": "d"}

    uri = lakehouse.store_offsets(OFFSETS, run_id="manual__2026-11-28T12:00:00+00:00", **place)

    [(key, [stored])] = store.objects.items()
    assert stored == OFFSETS
    assert uri == f"s3a://b/{key}"
    assert key.startswith("runs/d/manual__2026-11-28T12_00_00_00_00/acknowledged-")
    assert ":" not in key
    assert lakehouse.store_offsets(OFFSETS, run_id="manual__2026-11-28T12:00:00+00:00", **place) == uri
    assert lakehouse.store_offsets({"geo": OFFSETS["pin"]}, run_id="manual__2026-11-28T12:00:00+00:00", **place) != uri
    assert lakehouse.store_offsets({}, run_id="r", **place) == ""


def test_a_run_of_any_size_stays_below_the_services_limit_of_parameters(lakehouse_job, store):
    many = {"offsets": [[partition, 0, 10**12] for partition in range(10_000)], "sent_from": "", "sent_until": ""}
    uri = lakehouse.store_offsets(dict.fromkeys(TABLES, many), bucket="b", lake_uri="s3a://b", dag_id="d", run_id="r")

    parameters = run_parameters(lakehouse_job, {"acknowledged_uri": uri}, "me")

    assert len(json.dumps(parameters)) < MAX_PARAMETER_BYTES / 10


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_task_brings_the_packages_that_a_databricks_runtime_lacks_in_the_versions_that_are_tested(file):
    declared = (PROJECT / "requirements" / "spark.in").read_text().split("# checks")[0].splitlines()
    needed = [line for line in declared if not line.startswith(("#", *OF_THE_RUNTIME))]

    for task in json.loads(file.read_text())["tasks"]:
        assert [library["pypi"]["package"] for library in task["libraries"]] == needed
