"""What is asked of and told to the warehouse after a publish."""

import json

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.alerts import describe, log_failure
from pinterest_pipeline.warehouse.audit import check, record


class FakeDatabase:
    def __init__(self, rows=()):
        self.rows = dict(rows)
        self.told = []

    def get_records(self, sql):
        return self.rows.get(sql, [])

    def run(self, sql, parameters):
        self.told.append((sql, parameters))


@pytest.fixture
def checks(tmp_path):
    files = [tmp_path / name for name in ("a_holds.sql", "b_holds.sql", "c_holds.sql")]
    return {file.stem: file.stem for file in files}


def test_checks_that_find_nothing_pass_and_are_named(checks):
    assert check(FakeDatabase(), checks) == ["a_holds", "b_holds", "c_holds"]


def test_all_failed_checks_are_told_at_once_with_a_few_rows_each(checks):
    database = FakeDatabase({"a_holds": [("x", 1)] * 20, "c_holds": [["y", 2]]})

    with pytest.raises(PermanentError, match="2 of 3 checks") as failure:
        check(database, checks)

    assert "a_holds (20 rows" in str(failure.value)
    assert "('y', 2)" in str(failure.value)
    assert str(failure.value).count("('x', 1)") == 3


def test_each_row_is_recorded_with_the_files_statement_and_dictionaries_as_json(tmp_path):
    file = tmp_path / "upsert.sql"
    file.write_text("UPSERT")
    database = FakeDatabase()

    record(database, file, [{"table_name": "pin", "defects": {"b": 1, "a": 2}}, {"table_name": "geo", "defects": {}}])

    assert database.told == [
        (["UPSERT"], {"table_name": "pin", "defects": '{"a": 2, "b": 1}'}),
        (["UPSERT"], {"table_name": "geo", "defects": "{}"}),
    ]


class FakeTaskInstance:
    dag_id, task_id, run_id, map_index, try_number = "dag", "task", "run", -1, 2


def test_an_alarm_is_one_line_of_json_with_the_first_line_of_the_error(caplog):
    context = {"ti": FakeTaskInstance(), "exception": ValueError("the connector is gone: create it\nTraceback ...")}

    log_failure(context)

    event, _, fields = caplog.messages[-1].partition(" ")
    assert event == "pipeline_task_failed"
    assert json.loads(fields) == {
        "dag_id": "dag", "task_id": "task", "run_id": "run", "map_index": -1, "try_number": 2,
        "reason": "the connector is gone: create it",
    }  # fmt: skip


def test_an_alarm_without_an_error_is_still_an_alarm():
    assert describe({"ti": FakeTaskInstance()})["reason"] == ""
