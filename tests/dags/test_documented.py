"""The DAG file of docs/operators.md is one: another project's, without anything of this project's but the plugins."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
DESTINATIONS = ("KafkaRestProduceOperator", "KinesisPutRecordsOperator")


@pytest.fixture(scope="module")
def shop(parse_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    (page,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (folder / "shop.py").write_text(page)
    bag = parse_folder(folder)
    assert bag.import_errors == {}
    return bag.dags["shop"]


def test_the_documented_dag_sends_from_each_kind_of_place_to_each_destination(shop):
    senders = [task for task in shop.tasks if task.task_type in DESTINATIONS]
    kinds = [
        kind for task in senders for kind in ("sql", "rows", "json_lines") if getattr(task, kind, None) is not None
    ]

    assert {task.task_type for task in senders} == set(DESTINATIONS)
    assert sorted(kinds) == ["json_lines", "json_lines", "rows", "sql"]


def test_the_documented_dag_needs_no_connection_of_ours(shop):
    named = {
        getattr(task, name)
        for task in shop.tasks
        for name in ("kafka_rest_conn_id", "source_conn_id", "aws_conn_id")
        if getattr(task, name, None)
    }

    assert {"shop_kafka_rest", "shop_mysql", "shop_aws"} <= named
    assert "pinterest_kafka_rest" not in named
