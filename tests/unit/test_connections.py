"""A connection, a field, the Variable or a key of it is missing: one line names it and the page with the remedy."""

import json
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.dag.settings import pipeline_variable
from pinterest_pipeline.databricks.hook import DatabricksRunHook
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from pinterest_pipeline.warehouse.hook import PipelinePostgresHook
from pinterest_pipeline.warehouse.operators import PostgresQueryOperator

HOOKS = [
    pytest.param(KafkaRestHook, lambda hook: hook.topics(), id="kafka_rest"),
    pytest.param(DatabricksRunHook, lambda hook: hook.run(1), id="databricks"),
    pytest.param(PipelinePostgresHook, lambda hook: hook.get_conn(), id="postgres"),
]


def connect(monkeypatch, **fields):
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(fields))


def told(kind, call):
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert message.endswith("see docs/connections.md.")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("hook", "use"), HOOKS)
def test_a_missing_connection_is_named_and_may_be_there_the_next_time(hook, use):
    assert told(TransientError, lambda: use(hook("nowhere"))).startswith("Connection nowhere does not exist")


@pytest.mark.parametrize(("hook", "use"), HOOKS)
def test_all_missing_fields_are_named_at_once(monkeypatch, hook, use):
    connect(monkeypatch, conn_type="generic")

    message = told(PermanentError, lambda: use(hook("mine")))

    assert message.startswith("Connection mine lacks host (")
    assert all(f"{field} (" in message for field in hook.required_fields)


@pytest.mark.parametrize("left_out", ["host", "schema", "login"])
def test_each_field_of_a_database_is_needed(monkeypatch, left_out):
    fields = {"host": "127.0.0.1", "schema": "d", "login": "me", "port": 1}
    connect(monkeypatch, conn_type="postgres", **{name: fields[name] for name in fields if name != left_out})

    assert told(PermanentError, PipelinePostgresHook("mine").get_conn).startswith(f"Connection mine lacks {left_out} (")


def test_a_statement_says_so_too():
    operator = PostgresQueryOperator(task_id="t", conn_id="nowhere", sql="SELECT 1")

    assert told(TransientError, lambda: operator.execute({})).startswith("Connection nowhere does not exist")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"host": "h", "password": "t"}, id="token"),
        pytest.param({"host": "h", "extra": {"token": "t"}}, id="token in the extra"),
        pytest.param({"password": "t", "extra": {"host": "h"}}, id="host in the extra"),
        pytest.param({"host": "h", "extra": {"federated_k8s": True}}, id="federation"),
    ],
)
def test_databricks_may_be_signed_in_to_in_other_ways(monkeypatch, fields):
    connect(monkeypatch, conn_type="databricks", **fields)

    assert DatabricksRunHook("mine").databricks_conn.conn_id == "mine"


class Variables:
    """Airflow's accessor of Variables: an attribute is a check-up."""

    def __init__(self, value, error=ErrorType.VARIABLE_NOT_FOUND):
        self.value, self.error = value, error

    def __getattr__(self, name):
        if self.value is None:
            raise AirflowRuntimeError(ErrorResponse(error=self.error, detail={"message": name}))
        return self.value


def var(value, text=None):
    return {"json": Variables(value), "value": Variables(text)}


def test_a_value_is_found_by_its_path_with_its_type():
    setting = pipeline_variable(var({"a": {"b": {"c": 1}}, "empty": ""}))

    assert setting("a.b") == {"c": 1}
    assert (setting("a.b.c"), setting("empty"), setting("a.x", "default")) == (1, "", "default")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        pytest.param({}, "lake_uri", id="no key"),
        pytest.param({"databricks": {}}, "databricks.cluster", id="no inner key"),
        pytest.param({"databricks": {"cluster": None}}, "databricks.cluster", id="null"),
        pytest.param({"databricks": "text"}, "databricks.cluster", id="a text where an object belongs"),
    ],
)
def test_a_missing_key_is_named_with_its_whole_path(value, path):
    message = told(PermanentError, lambda: pipeline_variable(var(value))(path))

    assert message.startswith(f"Variable pinterest_pipeline has no value for {path}")


@pytest.mark.parametrize(
    ("variables", "kind", "said"),
    [
        pytest.param(var(None), TransientError, "does not exist", id="none"),
        pytest.param(var(None, text="{"), PermanentError, "is not JSON", id="not JSON"),
        pytest.param(var([1]), PermanentError, "is a JSON list, not an object", id="a list"),
    ],
)
def test_a_missing_or_unreadable_variable_is_named(variables, kind, said):
    assert told(kind, lambda: pipeline_variable(variables)).startswith(f"Variable pinterest_pipeline {said}")


def test_another_error_of_airflow_is_not_taken_for_a_missing_variable():
    variables = {"json": Variables(None, ErrorType.API_SERVER_ERROR), "value": SimpleNamespace()}

    with pytest.raises(AirflowRuntimeError):
        pipeline_variable(variables)
