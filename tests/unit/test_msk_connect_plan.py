"""The connector file and the next step towards it."""

import json
from datetime import UTC, datetime

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.msk_connect.client import Connector, Operation
from pinterest_pipeline.msk_connect.plan import Step, check_operation, check_state, next_step, read_connector_file

NOW = datetime.now(UTC)
WANTED = {
    "connectorName": "sink",
    "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
    "connectorConfiguration": {"flush.size": "5000", "topics": "pin"},
    "plugins": [{"customPlugin": {"customPluginArn": "arn", "revision": 1}}],
    "tags": {"team": "data"},
}


def connector(state="RUNNING", configuration=None, **described):
    reported = {
        "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
        "plugins": [{"customPlugin": {"customPluginArn": "arn", "revision": 1}}],
        **described,
    }
    own = WANTED["connectorConfiguration"] if configuration is None else configuration
    return Connector("arn:1", "sink", state, "v1", "Code: why", own, reported)


@pytest.fixture
def file(tmp_path):
    def write(request):
        path = tmp_path / "sink.json"
        path.write_text(request if isinstance(request, str) else json.dumps(request))
        return path

    return write


def test_placeholders_are_filled_anywhere_and_a_whole_one_keeps_its_type(file):
    request = {"connectorName": "${name}", "vpc": {"subnets": "${subnets}", "x": ["a-${name}", "$$Value", 7]}}

    filled = read_connector_file(file(request), {"name": "sink", "subnets": ["s1", "s2"]})

    assert filled == {"connectorName": "sink", "vpc": {"subnets": ["s1", "s2"], "x": ["a-sink", "$Value", 7]}}


def test_missing_unused_and_empty_values_are_listed_together(file):
    path = file({"connectorName": "${name}", "a": "${role} ${arn}", "b": "${bucket}"})

    with pytest.raises(PermanentError) as caught:
        read_connector_file(path, {"name": "sink", "bucket": "", "zone": "1", "colour": "red"})

    assert str(caught.value) == (
        f"Connector file {path} was given no value for arn, role and an empty value for bucket and "
        "a value that it does not use for colour, zone: correct connector_values."
    )


@pytest.mark.parametrize("value", ["", None, "None"])
def test_a_variable_that_was_rendered_empty_is_no_value(file, value):
    with pytest.raises(PermanentError, match="an empty value for name"):
        read_connector_file(file({"connectorName": "${name}"}), {"name": value})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "is not JSON", id="no JSON"),
        pytest.param("[]", "has no connectorName", id="no object"),
        pytest.param('{"connectorName": "a$"}', "malformed placeholder in 'a$': write $$", id="a lone dollar"),
    ],
)
def test_a_broken_file_is_named(file, text, said):
    with pytest.raises(PermanentError, match=r"Connector file .*sink\.json") as caught:
        read_connector_file(file(text), {})

    assert said in str(caught.value)


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(PermanentError, match=r"no\.json does not exist: correct connector_file"):
        read_connector_file(tmp_path / "no.json", {})


def test_values_that_are_no_mapping_are_named(file):
    with pytest.raises(PermanentError, match="connector_values"):
        read_connector_file(file({"connectorName": "a"}), "{{ unrendered }}")


@pytest.mark.parametrize(
    ("current", "step"),
    [
        pytest.param(None, Step.CREATE, id="missing"),
        pytest.param(connector(), Step.NOTHING, id="equal"),
        pytest.param(connector("CREATING"), Step.WAIT_CHANGED, id="creating"),
        pytest.param(connector("RESTARTING"), Step.WAIT_CHANGED, id="a state of newer botocores"),
        pytest.param(connector("DELETING"), Step.WAIT_DELETED, id="deleting"),
        pytest.param(connector(configuration={}), Step.UPDATE_CONFIGURATION, id="configuration differs"),
        pytest.param(
            connector(capacity={"provisionedCapacity": {"mcuCount": 2, "workerCount": 1}}),
            Step.UPDATE_WORKER_SETTING,
            id="capacity differs",
        ),
        pytest.param(
            connector(configuration={}, capacity={"provisionedCapacity": {"mcuCount": 2}}),
            Step.UPDATE_WORKER_SETTING,
            id="both differ: one at a time",
        ),
    ],
)
def test_the_next_step(current, step):
    assert next_step(current, WANTED, recreate=False) is step


def test_a_failed_connector_is_recreated_only_on_request():
    assert next_step(connector("FAILED"), WANTED, recreate=True) is Step.DELETE
    with pytest.raises(PermanentError, match=r"sink is FAILED \(Code: why\).*the parameter recreate"):
        next_step(connector("FAILED"), WANTED, recreate=False)


def test_what_cannot_be_updated_is_named():
    other = connector(kafkaClusterEncryptionInTransit={"encryptionType": "TLS"}, networkType="DUAL")

    with pytest.raises(
        PermanentError, match="sink differs from its file in networkType, which cannot be updated: run the DAG"
    ):
        next_step(other, WANTED, recreate=False)


def test_what_cannot_be_updated_is_recreated_on_request():
    assert next_step(connector(networkType="DUAL"), WANTED, recreate=True) is Step.DELETE
    assert next_step(connector(), WANTED, recreate=True) is Step.NOTHING


def test_a_pause_by_a_person_is_respected_and_the_error_says_how_to_resume():
    with pytest.raises(PermanentError, match=r"sink is PAUSED by someone.*the parameter pause = false"):
        next_step(connector("PAUSED"), WANTED, recreate=False)


@pytest.mark.parametrize(
    ("state", "paused", "step"),
    [
        ("RUNNING", True, Step.PAUSE),
        ("RUNNING", False, Step.NOTHING),
        ("PAUSED", True, Step.NOTHING),
        ("PAUSED", False, Step.RESUME),
        ("PAUSING", True, Step.WAIT_CHANGED),
        ("RESUMING", None, Step.WAIT_CHANGED),
    ],
)
def test_a_pause_is_made_and_ended_on_request(state, paused, step):
    assert next_step(connector(state), WANTED, recreate=False, paused=paused) is step


def test_a_connector_that_is_gone_is_checked_again_whatever_was_waited_for():
    assert check_state("arn", None, "LASTING").result == {"state": "DELETED"}
    assert check_state("arn", None, "DELETED").result == {"state": "DELETED"}
    assert check_operation("sink", None).result == {"state": "DELETED"}


@pytest.mark.parametrize("state", ["PENDING", "UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "PAUSE_IN_PROGRESS"])
def test_an_operation_is_waited_for_until_it_is_over(state):
    assert check_operation("sink", Operation("UPDATE", state, NOW)).result is None


@pytest.mark.parametrize("state", ["UPDATE_COMPLETE", "RESTART_COMPLETE", "PAUSE_COMPLETE", "RESUME_COMPLETE"])
def test_an_operation_that_is_complete_is_ready(state):
    assert check_operation("sink", Operation("UPDATE", state, NOW)).result == {"state": state}


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "UPDATE_FAILED", "ROLLBACK_FAILED", "RESTART_FAILED"])
def test_an_operation_that_failed_is_an_error_with_the_services_reason(state):
    with pytest.raises(PermanentError, match=rf"sink: UPDATE ended in {state} \(Invalid: flush.size\)"):
        check_operation("sink", Operation("UPDATE", state, NOW, "Invalid: flush.size"))
