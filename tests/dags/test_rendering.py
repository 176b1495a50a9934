"""What the operators are given once a run renders their templates from the Variable and from earlier tasks."""

import copy
import json
from types import SimpleNamespace

import pytest

VARIABLE = {
    "bucket": "a-lake",
    "lake_uri": "s3a://a-lake",
    "topic_prefix": "prefix",
    "connector": {
        "name": "a-sink",
        "plugin_arn": "arn:plugin",
        "plugin_revision": 3,
        "service_role_arn": "arn:role",
        "bootstrap_servers": "broker:9098",
        "subnets": ["subnet-a", "subnet-b"],
        "security_groups": ["sg-a"],
        "rotate_schedule_interval_ms": "60000",
        "log_group": "/a/log-group",
    },
    "databricks": {
        "notebook_root": "/Workspace/notebooks",
        "cluster": {"num_workers": 2, "spark_version": "18.x"},
        "warehouse_url_scope": "scope",
        "warehouse_url_key": "key",
    },
    "stream": {
        "job_name": "a-stream",
        "cluster": {"num_workers": 1, "spark_version": "18.x", "spark_conf": {"a": "1"}},
        "checkpoint_uri": "s3a://a-lake/checkpoints/stream",
        "source_options": {"consumerMode": "efo", "maxFetchRate": 1.5},
        "quarantine_days": 90,
        "endpoint_url": "",
        "stale_after_seconds": 30,
        "start_within_seconds": 60,
    },
}
XCOMS = {
    "choose_window": {
        "window_start": "2018-03-01T02:00:00",
        "window_end": "2018-03-02T02:00:00",
        "include_undated": False,
    },
    "any_posts": {"acknowledged_uri": "s3a://a-lake/runs/a.json"},
    "lakehouse.submit_batch_run": 42,
    "ingest.offsets_grow": None,
    "ingest.send_posts": [{"topic": "prefix.pin"}],
    "choose_records": {"window_start": "2026-11-18T00:00:00", "window_end": "", "tables": "pin,geo"},
    "find_dead_letters": {"objects": {"pin": ["dead-letters/prefix.pin/a.json"], "geo": [], "user": []}},
    "record_redriven": None,
    "lakehouse.bronze": {"unreadable": {}},
    "lakehouse.silver": {"run": {}},
    "lakehouse.reprocess": {"totals": {}},
    "acknowledged_offsets": None,
    "launch_stream": {"run_id": 42, "job_id": 1},
    "take_request": {"request": "stop", "unwanted": ""},
}


def pull(task_ids, key="return_value", **_):
    return XCOMS[task_ids] if key == "return_value" else XCOMS[task_ids][key]


@pytest.fixture
def rendered(dags):
    def render(dag_id, task_id, map_index=-1, params=None):
        task = copy.copy(dags[dag_id].get_task(task_id))  # rendering changes the operator
        ti = SimpleNamespace(map_index=map_index, xcom_pull=pull, task=task, run_id="r", task_id=task_id)
        context = {
            "ti": ti,
            "task": task,
            "dag": dags[dag_id],
            "dag_run": SimpleNamespace(conf={}),
            "run_id": "r",
            "var": {"json": SimpleNamespace(pinterest_pipeline=VARIABLE)},
            "expanded_ti_count": None,
            "params": {
                "delete": ["geo", "pin"],
                "force": True,
                "delete_without_approval": False,
                "recreate": False,
                **(params or {}),
            },
        }
        task.render_template_fields(context)
        return context["task"]

    return render


def read_job(task):
    from pathlib import Path

    from pinterest_pipeline.databricks.jobs import read_job_file

    return read_job_file(Path(task.job_file), task.job_values, getattr(task, "may_be_empty", ()))


def test_the_connector_file_is_filled_from_the_variable_without_changing_types(rendered):
    task = rendered("pinterest_sink_connector", "ensure_connector")

    assert task.connector_values == {
        **VARIABLE["connector"],
        "bucket": "a-lake",
        "region": "us-east-1",
        "topics": "prefix.pin,prefix.geo,prefix.user",
        "dead_letter_topic": "prefix.dead-letters",
        "topics_dir": "topics",
    }
    assert task.connector_values["rotate_schedule_interval_ms"] == "60000"


def test_the_topics_file_asks_for_exactly_what_the_dag_gives(rendered):
    from pathlib import Path

    from pinterest_pipeline.kafka_rest.topics import read_topics_file

    task = rendered("pinterest_sink_connector", "ensure_topics")

    topics = read_topics_file(Path(task.topics_file), task.topics_values)

    assert [(topic.name, topic.replication_factor) for topic in topics] == [
        ("prefix.pin", 3),
        ("prefix.geo", 3),
        ("prefix.user", 3),
        ("prefix.dead-letters", 3),
    ]
    assert task.check is True


@pytest.mark.parametrize("paused", [None, True, False])
def test_the_param_pause_reaches_the_connectors_operator(rendered, paused):
    task = rendered("pinterest_sink_connector", "ensure_connector", params={"pause": paused, "recreate": False})

    assert (task.paused, task.recreate) == (paused, False)


@pytest.mark.parametrize(
    ("generation", "folder"), [(None, "topics"), ("", "topics"), (2, "topics-2"), ("2026-11", "topics-2026-11")]
)
def test_the_connector_the_check_and_the_sensor_agree_on_the_folder_of_a_generation(
    rendered, monkeypatch, generation, folder
):
    monkeypatch.setitem(VARIABLE, "generation", generation)

    assert rendered("pinterest_sink_connector", "ensure_connector").connector_values["topics_dir"] == folder
    assert rendered("pinterest_daily_batch", "posts_landed").topics_dir == folder
    assert rendered("pinterest_daily_batch", "ingest.offsets_grow").op_kwargs["topics_dir"] == folder


def test_the_connector_file_asks_for_exactly_what_the_dag_gives(rendered):
    from pathlib import Path

    from pinterest_pipeline.msk_connect.plan import read_connector_file

    task = rendered("pinterest_sink_connector", "ensure_connector")

    request = read_connector_file(Path(task.connector_file), task.connector_values)

    assert request["connectorConfiguration"]["s3.bucket.name"] == "a-lake"
    assert request["connectorName"] == "a-sink"


@pytest.mark.parametrize(
    ("map_index", "topic", "key", "relation"),
    [
        pytest.param(0, "prefix.pin", "index", "FROM pinterest_data", id="pin"),
        pytest.param(1, "prefix.geo", "ind", "FROM geolocation_data", id="geo"),
        pytest.param(2, "prefix.user", "ind", "FROM user_data", id="user"),
    ],
)
def test_each_table_is_sent_to_its_topic_by_its_own_query(rendered, map_index, topic, key, relation):
    task = rendered("pinterest_daily_batch", "ingest.send_posts", map_index)

    assert (task.topic, task.key_column, task.dead_letter_bucket) == (topic, key, "a-lake")
    assert relation in task.sql
    assert task.parameters == XCOMS["choose_window"]


def test_the_count_takes_the_same_window_as_the_queries(rendered):
    task = rendered("pinterest_daily_batch", "ingest.count_source_rows")

    assert task.parameters == XCOMS["choose_window"]
    assert "%(window_start)s" in task.sql


def test_the_batch_run_is_given_its_stages_and_where_the_acknowledged_offsets_are(rendered):
    task = rendered("pinterest_daily_batch", "lakehouse.submit_batch_run")

    job = read_job(task)
    assert job["name"] == "pinterest_lakehouse"
    assert job["job_clusters"][0]["new_cluster"] == VARIABLE["databricks"]["cluster"]
    assert job["tasks"][0]["notebook_task"]["notebook_path"] == "/Workspace/notebooks/bronze"
    defaults = {parameter["name"]: parameter["default"] for parameter in job["parameters"]}
    assert (defaults["lake_uri"], defaults["topic_prefix"]) == ("s3a://a-lake", "prefix")
    assert (defaults["secret_scope"], defaults["secret_key"]) == ("scope", "key")
    assert task.job_parameters == {
        "stages": "bronze,silver,gold",
        "acknowledged_uri": "s3a://a-lake/runs/a.json",
    }


def test_the_name_of_the_job_may_be_chosen(rendered, monkeypatch):
    monkeypatch.setitem(VARIABLE["databricks"], "job_name", "mine")

    assert read_job(rendered("pinterest_reprocess", "submit_run"))["name"] == "mine"
    comparison = rendered("pinterest_stream_comparison", "submit_comparison", params={"since": None})
    assert read_job(comparison)["name"] == "mine_compare_stream_with_silver"


@pytest.mark.parametrize(
    ("map_index", "topic", "relation", "objects"),
    [(0, "prefix.pin", "FROM pinterest_data", ["dead-letters/prefix.pin/a.json"]), (2, "prefix.user", "FROM user", [])],
)
def test_dead_letters_are_sent_again_as_their_rows_are_now(rendered, map_index, topic, relation, objects):
    task = rendered("pinterest_redrive", "ingest.redrive", map_index)

    assert (task.topic, task.objects, task.dead_letter_prefix) == (topic, objects, "dead-letters")
    assert relation in task.sql
    assert "%(ids)s" in task.sql


@pytest.mark.parametrize("uri", [None, "s3a://a-lake/runs/b.json"])
def test_a_redrive_takes_what_was_sent_and_validates_what_was_chosen(rendered, monkeypatch, uri):
    monkeypatch.setitem(XCOMS, "acknowledged_offsets", uri)

    run = rendered("pinterest_redrive", "lakehouse.submit_run")
    preview = rendered("pinterest_redrive", "preview.submit_preview")

    chosen = XCOMS["choose_records"]
    assert run.job_parameters == {
        "stages": "bronze,silver,reprocess,gold", **chosen, "acknowledged_uri": uri or "",
    }  # fmt: skip
    assert preview.job_parameters == {"stages": "reprocess", **chosen, "dry_run": "true"}
    assert read_job(run) == read_job(preview)


def test_a_redrive_without_dead_letters_is_reconciled_with_no_results(rendered):
    arguments = rendered("pinterest_redrive", "reconcile_redriven").op_kwargs

    assert (arguments["produced"], arguments["ends"], arguments["topics_dir"]) == ([], {}, "topics")


def test_the_answers_are_published_from_the_folder_that_was_deployed(rendered):
    from pathlib import Path

    for dag, task_id in (("pinterest_daily_batch", "publish.publish_gold"), ("pinterest_reprocess", "publish_gold")):
        task = rendered(dag, task_id)

        assert task.conn_id == "pinterest_warehouse"
        assert len(list(Path(task.folder).glob("*.sql"))) >= 10


def test_the_streams_job_is_filled_from_the_variable_and_asks_for_exactly_what_the_dag_gives(rendered):
    task = rendered("pinterest_stream_supervisor", "launch_stream")

    job = read_job(task)

    assert (job["name"], task.unwanted) == ("a-stream", "")
    assert job["tasks"][0]["new_cluster"] == VARIABLE["stream"]["cluster"]
    assert job["tasks"][0]["notebook_task"]["notebook_path"] == "/Workspace/notebooks/stream_posts"
    parameters = job["tasks"][0]["notebook_task"]["base_parameters"]
    assert parameters["stream_prefix"] == "streaming-prefix"
    assert (parameters["endpoint_url"], parameters["trigger_seconds"]) == ("", "0.5")
    assert json.loads(parameters["source_options"]) == VARIABLE["stream"]["source_options"]
    assert (parameters["progress_days"], parameters["quarantine_days"], parameters["position_days"]) == (
        "7", "90", "400",
    )  # fmt: skip


def test_the_stream_is_watched_and_stopped_as_launched_and_asked(rendered):
    watch = rendered("pinterest_stream_supervisor", "watch_stream")

    assert watch.watched.run_id == 42
    assert watch.watched.streams == {f"stream_{table}": f"streaming-prefix-{table}" for table in ("pin", "geo", "user")}
    assert (watch.watched.stale_after_seconds, watch.watched.start_within_seconds) == (30, 60)
    assert rendered("pinterest_stream_supervisor", "stop_stream").request == "stop"


def test_the_streams_are_named_with_the_prefix_of_the_variable(rendered):
    task = rendered("pinterest_kinesis_streams", "streams_to_ensure")

    (streams,) = task.op_args
    assert {table: stream["stream_name"] for table, stream in streams.items()} == {
        table: f"streaming-prefix-{table}" for table in ("pin", "geo", "user")
    }
    assert {type(stream["shard_count"]) for stream in streams.values()} == {int}


def test_a_question_before_deleting_names_what_is_lost(rendered):
    task = rendered("pinterest_kinesis_streams", "approve_deletion")

    assert task.subject.endswith("and all that is in them: geo, pin?")
    assert (task.body, task.waived) == (
        "Param `force` is True: with it, unread records are lost, too.",
        False,
    )


def in_digits(value):
    """Return the Variable with every text in it made of digits, as a bucket, a prefix or a name may be."""
    if isinstance(value, dict):
        return {key: in_digits(one) for key, one in value.items()}
    return "2026" if isinstance(value, str) else value


def numbers(value):
    if isinstance(value, dict):
        return [found for one in value.values() for found in numbers(one)]
    if isinstance(value, list | tuple):
        return [found for one in value for found in numbers(one)]
    return [value] if isinstance(value, int | float) and value == 2026 else []


@pytest.mark.parametrize(
    ("dag_id", "task_id"),
    [
        ("pinterest_daily_batch", "connector_is_healthy"),
        ("pinterest_daily_batch", "ingest.offsets_grow"),
        ("pinterest_daily_batch", "lakehouse.submit_batch_run"),
        ("pinterest_redrive", "find_dead_letters"),
        ("pinterest_sink_connector", "ensure_connector"),
        ("pinterest_sink_connector", "connector_is_healthy"),
        ("pinterest_stream_supervisor", "launch_stream"),
    ],
)
def test_text_of_the_variable_stays_text_where_it_looks_like_a_number(rendered, monkeypatch, dag_id, task_id):
    for key, value in in_digits(VARIABLE).items():
        monkeypatch.setitem(VARIABLE, key, value)

    task = rendered(dag_id, task_id)

    assert [field for field in task.template_fields if numbers(getattr(task, field, None))] == []
