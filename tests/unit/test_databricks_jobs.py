"""A job's file, what it becomes, and how the service's job differs from it."""

import json
from pathlib import Path

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.databricks.jobs import Job, difference, read_job_file, reset_settings, single_job

PRODUCT_FILE = Path(__file__).resolve().parents[2] / "include" / "databricks" / "stream_posts_job.json"
FILE = {
    "name": "${name}",
    "continuous": {"task_retry_mode": "NEVER"},
    "max_concurrent_runs": 1,
    "tasks": [
        {
            "task_key": "a",
            "new_cluster": "${cluster}",
            "notebook_task": {"notebook_path": "/n", "base_parameters": {"seconds": "${seconds}", "url": "${url}"}},
        }
    ],
}
VALUES = {"name": "stream", "cluster": {"spark_version": "18.x", "num_workers": 1}, "seconds": 0.5, "url": ""}


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "job.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture
def wanted(file):
    return read_job_file(file(FILE), VALUES, ["url"])


def as_the_service_has_it(wanted, **changes):
    return Job(1, "stream", {**wanted, "format": "MULTI_TASK", "email_notifications": {}, **changes})


def test_the_job_is_filled_its_parameters_are_text_and_it_is_created_paused(wanted):
    assert wanted["name"] == "stream"
    assert wanted["tasks"][0]["new_cluster"] == VALUES["cluster"]
    assert wanted["tasks"][0]["notebook_task"]["base_parameters"] == {"seconds": "0.5", "url": ""}
    assert wanted["continuous"] == {"task_retry_mode": "NEVER", "pause_status": "PAUSED"}


def test_an_empty_value_is_refused_unless_it_may_be_empty(file):
    with pytest.raises(PermanentError, match=r"an empty value for url: correct job_values"):
        read_job_file(file(FILE), VALUES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("{", "is not JSON", id="no JSON"),
        pytest.param({"tasks": [{}]}, "has no name or no tasks", id="no name"),
        pytest.param({"name": "a"}, "has no name or no tasks", id="no tasks"),
        pytest.param({**FILE, "name": "$name}"}, "a value that it does not use for", id="a typo"),
    ],
)
def test_a_file_that_is_no_job_is_named(file, content, said):
    if content == {**FILE, "name": "$name}"}:
        content = {**FILE, "name": "x"}

    with pytest.raises(PermanentError, match=said):
        read_job_file(file(content), VALUES, ["url"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PermanentError, match=r"Job file .*none\.json does not exist"):
        read_job_file(tmp_path / "none.json", {})


def test_what_the_service_adds_is_no_difference(wanted):
    cluster = {**VALUES["cluster"], "num_workers": "1", "aws_attributes": {"zone_id": "auto"}}
    task = {**wanted["tasks"][0], "new_cluster": cluster, "run_if": "ALL_SUCCESS"}

    assert difference(as_the_service_has_it(wanted, tasks=[task]), wanted) == ()


def test_neither_is_a_pause(wanted):
    running = {**wanted["continuous"], "pause_status": "UNPAUSED"}

    assert difference(as_the_service_has_it(wanted, continuous=running), wanted) == ()


def parameters(wanted, **changes):
    task = wanted["tasks"][0]
    notebook = {**task["notebook_task"], "base_parameters": {"seconds": "0.5", "url": "", **changes}}
    return [{**task, "notebook_task": notebook}]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        pytest.param(lambda wanted: {"max_concurrent_runs": 2}, ("max_concurrent_runs",), id="a number"),
        pytest.param(lambda wanted: {"tasks": parameters(wanted, seconds="1")}, ("tasks",), id="a parameter's value"),
        pytest.param(lambda wanted: {"tasks": parameters(wanted, old="1")}, ("tasks",), id="a parameter dropped"),
        pytest.param(lambda wanted: {"tasks": [*wanted["tasks"]] * 2}, ("tasks",), id="a task more"),
        pytest.param(lambda wanted: {"continuous": None}, ("continuous",), id="not continuous"),
    ],
)
def test_a_difference_is_named(wanted, change, names):
    assert difference(as_the_service_has_it(wanted, **change(wanted)), wanted) == names


@pytest.mark.parametrize(
    ("current", "kept"),
    [({"pause_status": "UNPAUSED"}, "UNPAUSED"), ({"pause_status": "PAUSED"}, "PAUSED"), (None, "PAUSED")],
)
def test_a_reset_keeps_the_jobs_own_pause(wanted, current, kept):
    settings = reset_settings(as_the_service_has_it(wanted, continuous=current), wanted)

    assert settings["continuous"]["pause_status"] == kept


def test_two_jobs_of_one_name_are_refused_with_their_ids():
    with pytest.raises(PermanentError, match=r"2 jobs named s \(1, 2\), expected one: delete or rename"):
        single_job([Job(1, "s"), Job(2, "s")], "s")


def test_the_products_file_is_a_continuous_job_of_one_run():
    raw = json.loads(PRODUCT_FILE.read_text())

    assert raw["max_concurrent_runs"] == 1
    assert raw["continuous"]["task_retry_mode"] == "NEVER"
    assert [task["task_key"] for task in raw["tasks"]] == ["stream_posts"]
