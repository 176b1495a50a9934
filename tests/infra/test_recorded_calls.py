"""Airflow's role may do what the tests saw its hooks do, and nothing else without a reason.

``infra/aws/recorded_calls.json`` was written by ``tests/support/recorded_calls.py`` around tests/contract/airflow_env
and the preflight's unit tests; add to it when a hook calls something new.
"""

import json

import pytest

from infra.aws.policies import ROLES, statements_of
from tests.conftest import PROJECT
from tests.infra.denied import LAKE, REGIONAL, STREAM
from tests.infra.test_policies import is_allowed

CALLS: list[str] = json.loads((PROJECT / "infra" / "aws" / "recorded_calls.json").read_text())
OF_TESTS = {  # calls that prepare or check a test; no code of ours makes them
    *("KafkaConnect:CreateWorkerConfiguration", "KafkaConnect:DeleteWorkerConfiguration"),
    *("KafkaConnect:ListCustomPlugins", "Kinesis:DescribeStream", "Kinesis:PutRecord", "S3:ListBuckets"),
    *("S3:HeadObject", "S3:PutBucketVersioning"),
    *("Secrets Manager:CreateSecret", "Secrets Manager:DeleteSecret", "Secrets Manager:ListSecrets"),
    "Secrets Manager:PutSecretValue",
}
IAM_ACTIONS = {"S3:ListObjectsV2": "s3:ListBucket"}  # a call that a right of another name allows
CONNECTOR = f"arn:aws:kafkaconnect:{REGIONAL}:connector/pinterest-s3-sink/uuid"
ARNS = {  # one of each kind that the role works on
    "kinesis": [STREAM],
    "kafkaconnect": [
        CONNECTOR,
        CONNECTOR.replace("connector/", "connector-operation/") + "/uuid",
        CONNECTOR.replace("connector/", "custom-plugin/"),
    ],
    "s3": [LAKE, *(f"{LAKE}/{key}" for key in ("topics/a", "dead-letters/a", "progress/a", "emulation/a"))],
}


def actions() -> set[str]:
    """Return the recorded calls as IAM names them."""
    calls = [call for call in CALLS if call not in OF_TESTS]
    return {IAM_ACTIONS.get(call, f"{call.partition(':')[0].lower()}:{call.partition(':')[2]}") for call in calls}


def test_every_recorded_call_is_allowed() -> None:
    refused = [
        action
        for action in sorted(actions())
        if not any(is_allowed("airflow", action, arn) for arn in [*ARNS.get(action.partition(":")[0], []), "*"])
    ]

    assert refused == [], "add the right to infra/aws/policies.py, or the call to OF_TESTS of this file"


@pytest.mark.parametrize("role", ROLES)
def test_every_right_is_a_recorded_call_or_has_a_reason(role: str) -> None:
    used = actions() if role == "airflow" else set()
    unused = [
        f"{statement.sid}: {action}"
        for statement in statements_of(role)
        for action in statement.actions
        if action not in used and not statement.reason
    ]

    assert unused == [], "take it out of infra/aws/policies.py, or say why it is there"


def test_the_recording_is_of_the_hooks_and_not_of_the_tests_alone() -> None:
    assert len(actions()) > 30
    assert set(CALLS) >= OF_TESTS, "a call of the tests is not made any more: take it out of OF_TESTS"
