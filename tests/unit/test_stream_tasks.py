"""What a run of the supervisor makes of its params and of earlier requests."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag import stream_supervisor as stream_tasks

PAUSED = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Warehouse:
    """Obeys PAUSE and RESUME as the table would."""

    def __init__(self, paused_at=None):
        self.row = (paused_at, "ann", None)
        self.statements = []

    def run(self, sql, parameters):
        self.statements += sql
        if any("paused_by = %(by)s" in statement for statement in sql):
            self.row = (self.row[0] or PAUSED, parameters["by"], None)
        if any("paused_at = NULL" in statement for statement in sql):
            self.row = (None, "", None)

    def get_records(self, sql, parameters):
        assert ("stream.control" in sql, parameters) == (True, {})
        return [self.row]


@pytest.fixture
def take(monkeypatch):
    def run(warehouse, **params):
        monkeypatch.setattr("pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda _: warehouse)
        given = {"pause": None, "stop": False, "restart": False, **params}
        dag_run = SimpleNamespace(run_id="manual__1", triggering_user_name="bob")
        return stream_tasks.take_request.function(params=given, dag_run=dag_run)

    return run


def test_a_scheduled_run_wants_the_stream_and_writes_nothing(take):
    warehouse = Warehouse()

    assert take(warehouse) == {"request": "nothing", "unwanted": ""}
    assert not warehouse.statements


def test_a_scheduled_run_respects_a_pause_and_says_whose_it_is(take):
    seen = take(Warehouse(PAUSED))

    assert seen["request"] == "nothing"
    assert seen["unwanted"].startswith("paused since 2026-11-25 12:00:00Z by ann; trigger this DAG with")


@pytest.mark.parametrize("params", [{"pause": True}, {"stop": True}], ids=["pause", "stop"])
def test_a_pause_and_a_stop_last(take, params):
    seen = take(Warehouse(), **params)

    assert seen["request"] == next(iter(params))
    assert "by bob" in seen["unwanted"]


@pytest.mark.parametrize(
    ("params", "request_"), [({"pause": False}, "resume"), ({"restart": True}, "restart")], ids=["resume", "restart"]
)
def test_a_resume_and_a_restart_end_a_pause(take, params, request_):
    assert take(Warehouse(PAUSED), **params) == {"request": request_, "unwanted": ""}


def test_only_a_stop_and_a_restart_ask_the_notebook_to_end(take):
    for params, asks in (({"pause": True}, False), ({"stop": True}, True), ({"restart": True}, True)):
        warehouse = Warehouse()

        take(warehouse, **params)

        assert any("stop_requested_at = now()" in statement for statement in warehouse.statements) is asks


def test_contradicting_params_write_nothing(take):
    warehouse = Warehouse()

    with pytest.raises(PermanentError, match="contradict"):
        take(warehouse, stop=True, restart=True)

    assert not warehouse.statements
