"""What the deploy guide types, against the Databricks stand-in: notebooks uploaded, secrets stored, and both used."""

import base64
import stat

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, ResourceAlreadyExists, ResourceDoesNotExist
from databricks.sdk.service.jobs import NotebookTask, SubmitTask, TaskDependency
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language

ROOT = "/Workspace/Shared/uploaded"


@pytest.fixture
def client(databricks_api) -> WorkspaceClient:
    return WorkspaceClient(host=databricks_api.url, token=databricks_api.token)


@pytest.fixture
def upload(client):
    """Return a function that imports a notebook below a folder of the test's own, and returns its path."""
    client.workspace.mkdirs(f"{ROOT}/deep")

    def put(name, source, **options):
        content = base64.b64encode(source.encode()).decode()
        given = {"format": ImportFormat.SOURCE, "language": Language.PYTHON, "overwrite": True, **options}
        client.workspace.import_(f"{ROOT}/{name}", content=content, **given)
        return f"{ROOT}/{name}"

    yield put
    client.workspace.delete(ROOT, recursive=True)


def task(key, path, *needs) -> SubmitTask:
    depends_on = [TaskDependency(need) for need in needs]
    return SubmitTask(task_key=key, notebook_task=NotebookTask(notebook_path=path), depends_on=depends_on)


def results(client, *tasks) -> list[str]:
    run = client.jobs.submit(tasks=list(tasks)).result()
    return [client.jobs.get_run_output(each.run_id).notebook_output.result for each in run.tasks]


def test_an_uploaded_notebook_is_listed_exported_run_replaced_and_deleted(client, upload):
    path = upload("deep/one", "dbutils.notebook.exit('first')")

    [listed] = client.workspace.list(f"{ROOT}/deep")
    exported = client.workspace.export(path, format=ExportFormat.SOURCE)
    first = results(client, task("a", path))
    upload("deep/one", "dbutils.notebook.exit('second')")
    second = results(client, task("a", path))
    client.workspace.delete(path)

    assert (listed.path, listed.object_type.value) == (path, "NOTEBOOK")
    source = base64.b64decode(exported.content).decode()
    assert source == "# Databricks notebook source\ndbutils.notebook.exit('first')"
    assert (first, second) == (["first"], ["second"])
    with pytest.raises(ResourceDoesNotExist, match="doesn't exist"):
        client.workspace.get_status(path)


def test_a_file_of_import_dir_is_stored_as_it_is_and_can_be_imported_by_a_notebook(client, databricks_api, upload):
    url = f"{databricks_api.url}/api/2.0/workspace-files/import-file{ROOT}"
    headers = {"Authorization": f"Bearer {databricks_api.token}"}

    files = {"helper.py": b"NAME = 'helped'", "it.py": b"# Databricks notebook source\nimport helper\n"}
    sent = [
        httpx.post(f"{url}/{name}?overwrite=true", headers=headers, content=content) for name, content in files.items()
    ]
    upload("uses", "import helper\ndbutils.notebook.exit(helper.NAME)")

    assert [answer.status_code for answer in sent] == [200, 200]
    kinds = {each.path.rpartition("/")[2]: each.object_type.value for each in client.workspace.list(ROOT)}
    assert kinds == {"deep": "DIRECTORY", "helper.py": "FILE", "it": "NOTEBOOK", "uses": "NOTEBOOK"}
    assert results(client, task("a", f"{ROOT}/uses")) == ["helped"]


def test_uploads_that_the_service_would_refuse_are_refused(client, upload):
    upload("there", "x = 1")

    with pytest.raises(ResourceAlreadyExists, match="already exists"):
        upload("there", "x = 2", overwrite=False)
    with pytest.raises(ResourceDoesNotExist, match="parent folder"):
        upload("nowhere/there", "x = 2")
    with pytest.raises(BadRequest, match="is not empty"):
        client.workspace.delete(ROOT)
    with pytest.raises(InvalidParameterValue, match="notebooks in PYTHON, got SCALA"):
        upload("scala", "val x = 1", language=Language.SCALA)
    with pytest.raises(InvalidParameterValue, match="takes format SOURCE, AUTO, RAW, got DBC"):
        upload("archive", "", format=ImportFormat.DBC)


@pytest.mark.parametrize("path", ["/Workspace/Shared/t/mine", "/Shared/t/mine"])
def test_a_folder_of_the_clone_is_not_written(client, databricks_api, path):
    with pytest.raises(InvalidParameterValue, match="is a folder of this clone"):
        client.workspace.mkdirs(path)
    with pytest.raises(InvalidParameterValue):
        client.workspace.mkdirs("/Workspace/../../outside")

    assert not (databricks_api.workspace / "mine").exists()


def test_a_scope_and_its_secret_are_stored_privately_listed_and_read_by_a_notebook(client, databricks_api, upload):
    client.secrets.create_scope("mine")
    client.secrets.put_secret("mine", "url", string_value="postgresql://u:s3cret@h/db")
    path = upload("reads", "dbutils.notebook.exit(str(len(dbutils.secrets.get('mine', 'url'))))")

    assert [scope.name for scope in client.secrets.list_scopes()] == ["pinterest", "mine"]
    assert [secret.key for secret in client.secrets.list_secrets("mine")] == ["url"]
    assert results(client, task("a", path)) == ["26"]
    assert stat.S_IMODE((databricks_api.state / "secrets.json").stat().st_mode) == 0o600
    with pytest.raises(ResourceAlreadyExists, match="Scope mine already exists"):
        client.secrets.create_scope("mine")
    with pytest.raises(ResourceDoesNotExist, match="Scope other does not exist"):
        client.secrets.put_secret("other", "a", string_value="b")
    client.secrets.delete_secret("mine", "url")
    client.secrets.delete_scope("mine")
    assert [scope.name for scope in client.secrets.list_scopes()] == ["pinterest"]


def test_a_task_reads_the_values_of_those_before_it(client, upload):
    sets = upload(
        "sets", "dbutils.jobs.taskValues.set('rows', {'pin': 7})\ndbutils.jobs.taskValues.set(key='n', value=1)"
    )
    gets = upload(
        "gets",
        "values = dbutils.jobs.taskValues\n"
        "found = [values.get('a', 'rows')['pin'], values.get(taskKey='a', key='n')]\n"
        "found.append(values.get('a', 'none', default=9))\n"
        "dbutils.notebook.exit(str(found))",
    )

    assert results(client, task("a", sets), task("b", gets, "a"))[1] == "[7, 1, 9]"
