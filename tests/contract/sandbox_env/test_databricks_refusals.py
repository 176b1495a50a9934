"""What the Databricks stand-in does not do, it refuses by name, instead of doing less than it was asked for."""

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service.iam import PermissionLevel
from databricks.sdk.service.jobs import (
    CronSchedule,
    GitProvider,
    GitSource,
    JobAccessControlRequest,
    JobEnvironment,
    JobParameterDefinition,
    JobRunAs,
    NotebookTask,
    Source,
    SqlTask,
    SqlTaskQuery,
    SubmitTask,
    Task,
)

from tests.support.databricks import DatabricksApi


@pytest.fixture
def client(databricks_api) -> WorkspaceClient:
    return WorkspaceClient(host=databricks_api.url, token=databricks_api.token)


@pytest.fixture
def path(databricks_api) -> str:
    return databricks_api.notebook("good", "x = 1")


@pytest.fixture
def job_id(client, path) -> int:
    parameters = [JobParameterDefinition(name="known", default="1")]
    return client.jobs.create(name="refusing", parameters=parameters, tasks=[task(path)]).job_id


def task(path, **fields) -> Task:
    return Task(task_key="a", notebook_task=NotebookTask(notebook_path=path), **fields)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"only": ["a"]}, "run-now: the sandbox does not serve only"),
        ({"python_params": ["a"]}, "does not serve python_params"),
        ({"performance_target": "STANDARD"}, "does not serve performance_target"),
        ({"job_parameters": {"unknown": "1"}}, "Job parameters unknown are not defined in the job; it has: .'known'."),
    ],
)
def test_a_start_with_what_is_not_done_is_refused(client, job_id, fields, named):
    with pytest.raises(InvalidParameterValue, match=named):
        client.api_client.do("POST", "/api/2.2/jobs/run-now", body={"job_id": job_id, **fields})

    assert list(client.jobs.list_runs(job_id=job_id)) == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"git_source": GitSource("https://example.invalid/a", GitProvider.GIT_HUB)}, "git_source"),
        ({"environments": [JobEnvironment("e")]}, "environments"),
        ({"schedule": CronSchedule("0 0 2 * * ?", "UTC")}, "schedule"),
        ({"run_as": JobRunAs(user_name="someone")}, "run_as"),
        (
            {"access_control_list": [JobAccessControlRequest(user_name="someone")]},
            "access_control",
        ),
    ],
)
def test_a_job_with_what_is_not_done_is_refused(client, path, fields, named):
    with pytest.raises(InvalidParameterValue, match=f"Job settings: the sandbox does not serve {named}"):
        client.jobs.create(name="no", tasks=[task(path)], **fields)

    assert list(client.jobs.list(name="no")) == []


def test_tasks_with_what_is_not_done_are_refused(client, path):
    with pytest.raises(InvalidParameterValue, match="Task a: the sandbox does not serve environment_key"):
        client.jobs.create(name="no", tasks=[task(path, environment_key="e")])
    notebook = NotebookTask(notebook_path=path, warehouse_id="w")
    with pytest.raises(InvalidParameterValue, match="notebook_task: the sandbox does not serve warehouse_id"):
        client.jobs.submit(tasks=[SubmitTask(task_key="a", notebook_task=notebook)])
    with pytest.raises(InvalidParameterValue, match="of the WORKSPACE only, got source 'GIT'"):
        client.jobs.submit(tasks=[SubmitTask(task_key="a", notebook_task=NotebookTask(path, source=Source.GIT))])
    with pytest.raises(InvalidParameterValue, match="it has: sql_task"):
        client.jobs.submit(tasks=[SubmitTask(task_key="a", sql_task=SqlTask("w", query=SqlTaskQuery("q")))])


def test_a_repair_with_what_is_not_done_is_refused(client, job_id, finished):
    run_id = client.jobs.run_now(job_id).run_id
    finished(client, run_id)

    with pytest.raises(InvalidParameterValue, match="runs/repair: the sandbox does not serve python_params"):
        client.jobs.repair_run(run_id, rerun_tasks=["a"], python_params=["a"])
    with pytest.raises(InvalidParameterValue, match="Job parameters unknown are not defined"):
        client.jobs.repair_run(run_id, rerun_tasks=["a"], job_parameters={"unknown": "1"})


def test_permissions_are_refused(client, job_id):
    level = JobAccessControlRequest(user_name="someone", permission_level=PermissionLevel.CAN_VIEW)

    with pytest.raises(InvalidParameterValue, match="The sandbox serves no permissions"):
        client.jobs.update_permissions(str(job_id), access_control_list=[level])
    with pytest.raises(NotFound, match="No API found"):
        client.api_client.do("GET", "/api/2.0/permissions/clusters/1")


def test_more_requests_a_second_than_allowed_are_told_when_to_come_back(tmp_path):
    api = DatabricksApi(tmp_path, DATABRICKS_REQUESTS_PER_SECOND="3")
    api.start()
    try:
        with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {api.token}"}) as http:
            answers = [http.get("/api/2.2/jobs/list") for _ in range(8)]
        jobs = list(WorkspaceClient(host=api.url, token=api.token).jobs.list())
    finally:
        api.stop()

    refused = [answer for answer in answers if answer.status_code == 429]
    assert 2 <= len(refused) <= 5
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert {answer.json()["error_code"] for answer in refused} == {"REQUEST_LIMIT_EXCEEDED"}
    assert jobs == []
