"""The body and the token of a submission."""

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.databricks.submission import (
    idempotency_token,
    is_of_family,
    notebook_paths,
    own_name,
    submission_body,
)

IDENTITY = ("dag", "run", "task", -1)
BODY = {"run_name": "r", "tasks": []}


def test_a_token_is_the_same_for_the_same_attempt_and_differs_otherwise():
    token = idempotency_token(IDENTITY, BODY, 1)

    assert idempotency_token(IDENTITY, {"tasks": [], "run_name": "r"}, 1) == token
    assert len(token) == 64  # the API's limit
    others = {
        idempotency_token(IDENTITY, BODY, 2),
        idempotency_token(("dag", "run", "task", 0), BODY, 1),
        idempotency_token(IDENTITY, {**BODY, "timeout_seconds": 1}, 1),
    }
    assert len(others | {token}) == 4


def test_the_name_tells_own_runs_from_others_of_the_family():
    name = own_name("batch", "manual__1", -1)

    assert name == "batch (manual__1)"
    assert own_name("batch", "manual__1", 0) != own_name("batch", "manual__1", 1)
    assert is_of_family(name, "batch")
    assert is_of_family("batch", "batch")
    assert not is_of_family("batch_hourly (manual__1)", "batch")


def test_json_text_and_values_that_are_no_text_become_what_the_api_wants():
    notebook = {"notebook_path": "/n", "base_parameters": {"a": "text", "b": {"pin": [1]}, "c": 7}}
    tasks = [{"task_key": "a", "new_cluster": '{"num_workers": 2}', "notebook_task": notebook}]

    body = submission_body("r", tasks, {"timeout_seconds": 9})

    assert body["timeout_seconds"] == 9
    assert body["tasks"][0]["new_cluster"] == {"num_workers": 2}
    assert body["tasks"][0]["notebook_task"]["base_parameters"] == {"a": "text", "b": '{"pin": [1]}', "c": "7"}
    assert submission_body("r", '[{"task_key": "a"}]', {})["tasks"] == [{"task_key": "a"}]


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        pytest.param([], "there is none", id="none"),
        pytest.param([{"task_key": "a"}, {"task_key": "a"}], "a task_key of its own", id="twice the same key"),
        pytest.param([{}], "a task_key of its own", id="no key"),
        pytest.param(
            [{"task_key": "a", "depends_on": [{"task_key": "b"}]}], "a depends on b, which is not among", id="unknown"
        ),
        pytest.param([{"task_key": "a", "job_cluster_key": "c"}], "runs/submit refuses", id="shared cluster"),
        pytest.param("{'task_key': 1}", "not JSON", id="text that is no JSON"),
        pytest.param({"task_key": "a"}, "is a dict, expected a list", id="no list"),
        pytest.param([{"task_key": "a", "new_cluster": "small"}], "new_cluster of a Databricks run", id="no cluster"),
    ],
)
def test_a_body_that_the_service_would_refuse_is_named(tasks, said):
    with pytest.raises(PermanentError) as caught:
        submission_body("r", tasks, {})

    assert said in str(caught.value)


def test_only_notebooks_of_the_workspace_are_looked_for():
    workspace, git = {"notebook_path": "/a"}, {"notebook_path": "b", "source": "GIT"}
    tasks = [{"notebook_task": workspace}, {"notebook_task": git}, {"spark_python_task": {}}]

    assert list(notebook_paths({"tasks": tasks})) == ["/a"]
    assert list(notebook_paths({"tasks": tasks, "git_source": {}})) == []
