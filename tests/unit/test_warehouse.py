"""What is asked of and told to the warehouse after a publish."""

import json

from pinterest_pipeline.dag.alerts import log_failure
from pinterest_pipeline.warehouse.audit import record


class FakeDatabase:
    def __init__(self):
        self.told = []

    def run(self, sql, parameters):
        self.told.append((sql, parameters))


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
        "reason": "the connector is gone: create it", "failures": 1,
    }  # fmt: skip
