"""The fault proxy before API Gateway: each fault reaches a client that we did not write, and touches nothing else."""

import json
import time

import pytest
import requests

from sandbox.servers.api_gateway.gateway import REFUSALS

TOPIC = "pinterest.dead-letters"
JSON = {"Content-Type": "application/vnd.kafka.json.v2+json"}


@pytest.fixture(scope="module")
def gate(stand_ins):
    environment = stand_ins("kafka_rest")
    with requests.Session() as session:
        session.headers["x-api-key"] = environment["KAFKA_REST_API_KEY"]
        yield session


def produce(gate, faults, *values):
    body = json.dumps({"records": [{"value": value} for value in values]})
    return gate.post(f"{faults.url}/topics/{TOPIC}", data=body, headers=JSON, timeout=30)


def last_offset(gate, faults):
    """Return the offset of a record that is sent now, so that a test knows what arrived since."""
    return produce(gate, faults, "mark").json()["offsets"][0]["offset"]


def test_without_a_rule_it_is_the_gateway(gate, gateway_faults):
    assert produce(gate, gateway_faults, 1, 2).json()["offsets"][1]["error_code"] is None
    assert requests.get(f"{gateway_faults.url}/topics", timeout=30).json() == {"message": "Forbidden"}
    assert gateway_faults.fired() == []


@pytest.mark.parametrize("name", REFUSALS)
def test_every_answer_of_the_gateway_can_be_had(gate, gateway_faults, name):
    gateway_faults.set({"kind": "answer", "name": name})

    refused, passed = (gate.get(f"{gateway_faults.url}/topics", timeout=30) for _ in range(2))

    refusal = REFUSALS[name]
    assert (refused.status_code, refused.content) == (refusal.status, refusal.body)
    assert refused.headers.get("x-amzn-ErrorType", "") == refusal.error_type
    assert passed.status_code == 200


def test_any_answer_can_be_had(gate, gateway_faults):
    gateway_faults.set({"kind": "answer", "status": 503, "body": {"a": 1}, "headers": {"Retry-After": "9"}})

    answer = gate.get(f"{gateway_faults.url}/topics", timeout=30)

    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (503, {"a": 1}, "9")


def test_a_topic_s_acl_is_a_403_with_an_offset_s_place_for_each_record(gate, gateway_faults):
    gateway_faults.set({"kind": "acl"})

    answer = produce(gate, gateway_faults, 1, 2)

    error = f"Not authorized to access topics: [{TOPIC}]"
    entry = {"partition": None, "offset": None, "error_code": 40301, "error": error}
    assert answer.status_code == 403
    assert answer.json() == {"offsets": [entry, entry], "key_schema_id": None, "value_schema_id": None}


@pytest.mark.parametrize(("when", "arrived"), [("before", 0), ("after", 1)])
def test_a_cut_request_was_carried_out_or_not(gate, gateway_faults, when, arrived):
    earlier = last_offset(gate, gateway_faults)
    gateway_faults.set({"kind": "cut", "when": when})

    with pytest.raises(requests.ConnectionError):
        produce(gate, gateway_faults, "cut")

    assert last_offset(gate, gateway_faults) == earlier + 1 + arrived


def test_a_request_that_was_carried_out_can_be_answered_as_if_not(gate, gateway_faults):
    earlier = last_offset(gate, gateway_faults)
    gateway_faults.set({"kind": "answer", "name": "INTEGRATION_TIMEOUT", "when": "after"})

    assert produce(gate, gateway_faults, "late").status_code == 504

    assert last_offset(gate, gateway_faults) == earlier + 2


def test_a_delayed_and_a_dripping_answer_are_late(gate, gateway_faults):
    gateway_faults.set({"kind": "delay", "seconds": 0.7}, {"kind": "drip", "seconds": 0.01})

    for _ in range(2):
        began = time.monotonic()
        assert TOPIC in gate.get(f"{gateway_faults.url}/topics", timeout=30).json()
        assert time.monotonic() - began >= 0.5
    assert gateway_faults.fired() == ["delay", "drip"]


@pytest.mark.parametrize("limit", [{"method": "POST"}, {"path": TOPIC}, {"contains": '"poison"'}])
def test_a_rule_is_for_what_it_names_only(gate, gateway_faults, limit):
    gateway_faults.set({"kind": "answer", "status": 500, "times": None, **limit})

    listed = gate.get(f"{gateway_faults.url}/topics", timeout=30)
    statuses = [produce(gate, gateway_faults, *values).status_code for values in (["good"], ["good", "poison"])]

    assert listed.status_code == 200
    assert statuses == ([200, 500] if "contains" in limit else [500, 500])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"kind": "nothing"}, "The kind of a rule is one of"),
        ({"kind": "cut", "what": 1}, "A rule has no what."),
        ({"kind": "answer"}, "answer needs a status, or a name"),
        ({"kind": "cut", "when": "soon"}, "A rule acts before or after, not 'soon'."),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(gateway_faults, rule, message):
    answer = requests.post(f"{gateway_faults.origin}/_faults", json=[rule], timeout=10)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)
