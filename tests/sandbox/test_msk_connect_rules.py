"""What the MSK Connect stand-in decides without a worker."""

import pytest

from sandbox.servers.msk_connect import translation, updates
from sandbox.servers.msk_connect.errors import BadRequestError, ConflictError, NotFoundError
from sandbox.servers.msk_connect.lag import TopicLag, age_seconds, summarise
from sandbox.servers.msk_connect.metrics import lag_data
from sandbox.servers.msk_connect.store import Store
from sandbox.servers.msk_connect.translation import Progress

CONFIGURATION = {"connector.class": "io.confluent.connect.s3.S3SinkConnector", "tasks.max": "2"}
CAPACITY = {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}}
CONNECTOR = {
    "connectorName": "c",
    "connectorState": "RUNNING",
    "currentVersion": "K1",
    "connectorConfiguration": CONFIGURATION,
    "capacity": CAPACITY,
    "plugins": [{"customPlugin": {"customPluginArn": "arn:p", "revision": 1}}],
}
WORKER = {"workerConfigurationArn": "arn:w", "revision": 1}


def status(connector, *tasks):
    return {
        "connector": {"state": connector},
        "tasks": [{"id": n, "state": state, "worker_id": "w"} for n, state in enumerate(tasks)],
    }


def test_the_clouds_class_becomes_ours_and_all_else_stays():
    translated = translation.worker_configuration("c", {**CONFIGURATION, "flush.size": "5000"})

    assert translated == {
        "name": "c",
        "connector.class": "pinterest.sandbox.s3sink.S3SinkConnector",
        "tasks.max": "2",
        "flush.size": "5000",
    }


def test_an_unknown_class_is_left_to_the_worker_to_refuse():
    translated = translation.worker_configuration("c", {"connector.class": "a.B", "tasks.max": "1"})

    assert translated["connector.class"] == "a.B"


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param(None, Progress.PENDING, id="unknown yet"),
        pytest.param(status("RUNNING"), Progress.PENDING, id="no task yet"),
        pytest.param(status("RUNNING", "RUNNING", "UNASSIGNED"), Progress.PENDING, id="one task waits"),
        pytest.param(status("RUNNING", "RESTARTING"), Progress.PENDING, id="restarting"),
        pytest.param(status("RUNNING", "RUNNING", "RUNNING"), Progress.UP, id="running"),
        pytest.param(status("RUNNING", "RUNNING", "FAILED"), Progress.UP, id="a failed task does not fail it"),
        pytest.param(status("PAUSED", "PAUSED"), Progress.UP, id="paused"),
        pytest.param(status("FAILED", "RUNNING"), Progress.FAILED, id="the connector itself failed"),
    ],
)
def test_progress_is_read_from_the_workers_status(read, expected):
    assert translation.progress(read) is expected


def test_failed_tasks_are_counted_as_errored():
    counts = translation.task_counts(status("RUNNING", "RUNNING", "FAILED", "UNASSIGNED"))

    assert counts == {"RunningTaskCount": 1, "ErroredTaskCount": 1, "WorkerCount": 1}


def test_a_connector_that_the_worker_has_lost_counts_nothing():
    assert translation.task_counts(None) == {"RunningTaskCount": 0, "ErroredTaskCount": 0, "WorkerCount": 0}


def test_creation_names_everything_that_is_missing():
    with pytest.raises(BadRequestError, match="missing capacity, connectorConfiguration, connectorName, kafkaCluster"):
        translation.check_creation({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"connectorConfiguration": {"tasks.max": "1"}}, "missing connector.class"),
        ({"connectorConfiguration": {**CONFIGURATION, "tasks.max": "0"}}, "tasks.max is '0'"),
        ({"connectorConfiguration": {**CONFIGURATION, "connector.class": "a.B"}}, "connector.class cannot change"),
        ({"capacity": {}}, "either connectorConfiguration or one or more of capacity, plugins, workerConfiguration"),
        ({"capacity": CAPACITY | {"autoScaling": {}}}, "exactly one of autoScaling and provisionedCapacity"),
        ({"capacity": CAPACITY, "connectorConfiguration": CONFIGURATION}, "either connectorConfiguration or one or"),
        ({"plugins": [{}]}, "each must be a customPlugin"),
        ({"workerConfiguration": WORKER, "useDefaultWorkerConfiguration": True}, "specify one of workerConfiguration"),
    ],
)
def test_an_update_that_the_service_refuses_is_refused(change, message):
    with pytest.raises(BadRequestError, match=message):
        updates.check(change, CONNECTOR, "K1")


def test_an_update_of_another_version_is_refused():
    with pytest.raises(BadRequestError, match="it is K1, not K0"):
        updates.check({"capacity": CAPACITY}, CONNECTOR, "K0")


def test_an_update_waits_for_the_one_before():
    with pytest.raises(BadRequestError, match="is UPDATING"):
        updates.check({"capacity": CAPACITY}, {**CONNECTOR, "connectorState": "UPDATING"}, "K1")


@pytest.mark.parametrize("state", ["UPDATING", "RESTARTING", "PAUSING", "RESUMING", "CREATING", "DELETING"])
def test_a_pause_conflicts_with_another_operation(state):
    with pytest.raises(ConflictError, match=f"is {state}: another operation is in progress"):
        translation.check_idle({**CONNECTOR, "connectorState": state})


@pytest.mark.parametrize(("limit", "tasks"), [({}, "8"), ({"maxAutoscalingTaskCount": 3}, "3")])
def test_under_autoscaling_the_number_of_tasks_is_the_services(limit, tasks):
    scaling = {"autoScaling": {"mcuCount": 2, "minWorkerCount": 2, "maxWorkerCount": 4, **limit}}

    assert updates.updated(CONNECTOR, {"capacity": scaling})["connectorConfiguration"]["tasks.max"] == tasks


def test_an_operation_names_the_worker_setting_on_both_sides():
    new = {**CONNECTOR, **updates.updated(CONNECTOR, {"workerConfiguration": WORKER})}
    setting = {"capacity": CAPACITY, "plugins": CONNECTOR["plugins"]}

    origin = updates.described(CONNECTOR, updates.WORKER_SETTING, "origin")
    target = updates.described(new, updates.WORKER_SETTING, "target")
    assert origin == {"originWorkerSetting": {**setting, "useDefaultWorkerConfiguration": True}}
    assert target == {"targetWorkerSetting": {**setting, "workerConfiguration": WORKER}}
    assert updates.updated(new, {"useDefaultWorkerConfiguration": True})["workerConfiguration"] is None


def test_lag_is_summed_and_its_maximum_taken_per_topic():
    ends = {("a", 0): 10, ("a", 1): 7, ("b", 0): 99}
    read = {("a", 0): 4, ("a", 1): 7, ("b", 0): 0}

    assert summarise("a", ends, read, {("a", 0): 12, ("a", 1): 0, ("b", 0): 50}) == TopicLag(6, 6, 12)


@pytest.mark.parametrize(
    ("read", "seconds"),
    [pytest.param(30, 0, id="all read"), pytest.param(20, 5, id="one batch behind"),
     pytest.param(15, 10, id="in the middle of a batch"), pytest.param(0, 15, id="older than what we saw")],
)  # fmt: skip
def test_time_lag_counts_from_before_the_first_unread_record(read, seconds):
    history = [(100.0, 10), (105.0, 10), (110.0, 20), (115.0, 30)]

    assert age_seconds(history, read, 115.0) == seconds


def test_lag_has_the_dimensions_of_msk():
    data = lag_data("connect-c", {"t": TopicLag(5, 3, 8)})

    assert {datum["MetricName"]: datum["Value"] for datum in data} == {
        "SumOffsetLag": 5,
        "MaxOffsetLag": 3,
        "EstimatedMaxTimeLag": 8,
    }
    assert all({d["Name"] for d in m["Dimensions"]} == {"Cluster Name", "Consumer Group", "Topic"} for m in data)


def test_the_store_outlives_its_process(tmp_path):
    store = Store(tmp_path)
    store.add("connector", "arn:1", {"connectorName": "c"})
    store.tags("arn:1")["team"] = "data"
    store.save()

    again = Store(tmp_path)

    assert again.get("connector", "arn:1") == {"connectorName": "c", "tags": {"team": "data"}}
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotFoundError, match="arn:2"):
        again.get("connector", "arn:2")
