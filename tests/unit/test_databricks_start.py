"""The parameters and the token of a start, and whose run it is."""

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.databricks.jobs import notebook_paths
from pinterest_pipeline.databricks.runs import run_from
from pinterest_pipeline.databricks.start import (
    MAX_PARAMETER_BYTES,
    idempotency_token,
    is_same_run,
    requested_by,
    run_parameters,
)

IDENTITY = ("dag", "run", "task", -1, 0)
PARAMETERS = {"stages": "bronze"}
JOB = {"name": "j", "parameters": [{"name": name, "default": ""} for name in ("stages", "tables", "requested_by")]}


def test_a_token_is_the_same_for_the_same_attempt_and_differs_otherwise():
    token = idempotency_token(IDENTITY, {"a": "1", "b": "2"}, 1)

    assert idempotency_token(IDENTITY, {"b": "2", "a": "1"}, 1) == token
    assert len(token) == 64  # the API's limit
    others = {
        idempotency_token(IDENTITY, {"a": "1", "b": "2"}, 2),
        idempotency_token(("dag", "run", "task", 0, 0), {"a": "1", "b": "2"}, 1),
        idempotency_token(("dag", "run", "task", -1, 3), {"a": "1", "b": "2"}, 1),
        idempotency_token(IDENTITY, {"a": "1"}, 1),
    }
    assert len(others | {token}) == 5


def test_a_run_says_which_task_of_which_dag_run_asked_for_it():
    assert requested_by("d", "lakehouse.start", "manual__1", -1) == "d.lakehouse.start (manual__1)"
    assert requested_by("d", "t", "r", 0) != requested_by("d", "t", "r", 1)


def test_parameters_are_text():
    given = run_parameters(JOB, {"stages": "bronze", "tables": ["pin"]}, "me")

    assert given == {"stages": "bronze", "tables": '["pin"]', "requested_by": "me"}


def test_a_parameter_that_the_job_does_not_declare_is_named():
    with pytest.raises(PermanentError, match="job j has no parameter window, only requested_by, stages, tables"):
        run_parameters(JOB, {"window": "", "stages": ""}, "me")


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_parameters_end_at_the_services_limit(extra):
    empty = run_parameters(JOB, {"tables": ""}, "me")
    size = MAX_PARAMETER_BYTES + extra - len('{"tables": "", "requested_by": "me"}')
    assert list(empty) == ["tables", "requested_by"]

    if extra <= 0:
        assert len(run_parameters(JOB, {"tables": "x" * size}, "me")["tables"]) == size
    else:
        with pytest.raises(PermanentError, match=r"are 10,001 bytes, the service takes 10,000: .* object of the lake"):
            run_parameters(JOB, {"tables": "x" * size}, "me")


def test_a_run_is_the_same_by_all_that_it_was_given():
    parameters = [{"name": "stages", "default": "", "value": "bronze"}, {"name": "tables", "default": ""}]
    run = run_from([{"run_id": 1, "job_parameters": parameters}])

    assert is_same_run(run, {"stages": "bronze"})
    assert is_same_run(run, {"stages": "bronze", "tables": ""})
    assert not is_same_run(run, {"stages": "gold"})
    assert not is_same_run(run, {"requested_by": "me"})


def test_only_notebooks_of_the_workspace_are_looked_for():
    workspace, git = {"notebook_path": "/a"}, {"notebook_path": "b", "source": "GIT"}
    tasks = [{"notebook_task": workspace}, {"notebook_task": git}, {"spark_python_task": {}}]

    assert list(notebook_paths({"tasks": tasks})) == ["/a"]
    assert list(notebook_paths({"tasks": tasks, "git_source": {}})) == []
