"""The connector file and the next step towards it."""

import json

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.msk_connect.client import Connector
from pinterest_pipeline.msk_connect.plan import Difference, Step, difference, next_step, read_connector_file

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


def test_equal_connectors_do_not_differ():
    assert difference(connector(), WANTED) == Difference((), capacity=False, fixed=())


def test_a_difference_names_keys_and_never_values():
    current = connector(configuration={"flush.size": "1", "password": "secret"})

    found = difference(current, WANTED)

    assert found.configuration == ("flush.size", "password", "topics")
    assert "secret" not in repr(found)
    assert "secret" not in repr(current)


def test_what_the_file_leaves_to_the_service_does_not_differ():
    assert not difference(
        connector(capacity={"provisionedCapacity": {"mcuCount": 1, "workerCount": 1, "new": 3}}), WANTED
    ).capacity


@pytest.mark.parametrize("subnets", [["a"], ["a", "b", "c"], []], ids=["fewer", "more", "none"])
def test_lists_of_another_length_differ(subnets):
    wanted = {**WANTED, "kafkaCluster": {"subnets": ["a", "b"]}}

    assert difference(connector(kafkaCluster={"subnets": subnets}), wanted).fixed == ("kafkaCluster",)
    assert not difference(connector(kafkaCluster={"subnets": ["a", "b"]}), wanted).fixed


@pytest.mark.parametrize(
    ("current", "step"),
    [
        pytest.param(None, Step.CREATE, id="missing"),
        pytest.param(connector(), Step.NOTHING, id="equal"),
        pytest.param(connector("CREATING"), Step.WAIT_RUNNING, id="creating"),
        pytest.param(connector("RESTARTING"), Step.WAIT_RUNNING, id="a state of newer botocores"),
        pytest.param(connector("DELETING"), Step.WAIT_DELETED, id="deleting"),
        pytest.param(connector(configuration={}), Step.UPDATE_CONFIGURATION, id="configuration differs"),
        pytest.param(
            connector(capacity={"provisionedCapacity": {"mcuCount": 2, "workerCount": 1}}),
            Step.UPDATE_CAPACITY,
            id="capacity differs",
        ),
        pytest.param(
            connector(configuration={}, capacity={"provisionedCapacity": {"mcuCount": 2}}),
            Step.UPDATE_CONFIGURATION,
            id="both differ: one at a time",
        ),
    ],
)
def test_the_next_step(current, step):
    assert next_step(current, WANTED, recreate_failed=False) is step


def test_a_failed_connector_is_recreated_only_on_request():
    assert next_step(connector("FAILED"), WANTED, recreate_failed=True) is Step.DELETE
    with pytest.raises(PermanentError, match=r"sink is FAILED \(Code: why\).*recreate_failed=True"):
        next_step(connector("FAILED"), WANTED, recreate_failed=False)


def test_what_cannot_be_updated_is_named():
    other = connector(plugins=[{"customPlugin": {"customPluginArn": "arn", "revision": 2}}])

    with pytest.raises(PermanentError, match="sink differs from its file in plugins, which cannot be updated"):
        next_step(other, WANTED, recreate_failed=False)


def test_a_pause_by_a_person_is_respected():
    with pytest.raises(PermanentError, match="sink is PAUSED"):
        next_step(connector("PAUSED"), WANTED, recreate_failed=False)
