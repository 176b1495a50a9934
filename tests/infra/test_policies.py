"""What no role may do, and that each right is one that AWS has."""

import fnmatch
import json
from typing import Any

import parliament
import pytest

from infra.aws.policies import ROLES, Statement, statements_of
from tests.infra.conftest import filled
from tests.infra.denied import DENIED

# parliament's table is older than the service, or the resource is optional: each with what AWS' reference says.
ACCEPTED = {
    ("UNKNOWN_ACTION", "kafkaconnect:RestartConnector"): "new in 2026; botocore 1.44.8 has it",
    ("UNKNOWN_ACTION", "kafkaconnect:PauseConnector"): "new in 2026; botocore 1.44.8 has it",
    ("UNKNOWN_ACTION", "kafkaconnect:ResumeConnector"): "new in 2026; botocore 1.44.8 has it",
    ("RESOURCE_MISMATCH", "kinesis:UpdateStreamMode"): "takes a stream",
    ("RESOURCE_MISMATCH", "kinesis:UpdateShardCount"): "takes a stream",
    ("RESOURCE_MISMATCH", "kinesis:StartStreamEncryption"): "the key is optional: alias/aws/kinesis needs no right",
    ("RESOURCE_MISMATCH", "kinesis:StopStreamEncryption"): "the key is optional: alias/aws/kinesis needs no right",
    ("RESOURCE_STAR", "ec2:CreateNetworkInterface"): "MSK Connect makes it in the subnets of the connector's file",
}
OF_THE_GUIDE = "environment"  # MWAA's own list of wildcards, taken as it is


def is_allowed(role: str, action: str, resource: str) -> bool:
    """Simulate the role's policies: one statement allows it, and none denies it (there is no Deny)."""
    return any(
        any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in statement["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in documents(role)
    )


def documents(role: str) -> list[dict[str, Any]]:
    return [filled_statement(statement) for statement in statements_of(role)]


def filled_statement(statement: Statement) -> dict[str, Any]:
    document = statement.document()
    return {**document, "Resource": [filled({"Fn::Sub": resource}) for resource in document["Resource"]]}


@pytest.mark.parametrize(("role", "action", "resource"), DENIED)
def test_what_must_be_denied_is_denied(role: str, action: str, resource: str) -> None:
    assert not is_allowed(role, action, resource)


def test_every_denied_action_exists_and_so_does_its_role() -> None:
    for role, action, _ in DENIED:
        assert role in ROLES
        service, _, name = action.partition(":")
        assert parliament.expand_action(f"{service}:{name}"), action


def test_no_statement_denies_or_takes_everything() -> None:
    for role in ROLES:
        for statement in documents(role):
            assert statement["Effect"] == "Allow"
            assert "*" not in statement["Action"]
            assert not any(action.endswith(":*") for action in statement["Action"])


@pytest.mark.parametrize(("role", "policy"), [(role, name) for role, policies in ROLES.items() for name in policies])
def test_parliament_finds_no_invented_action_and_no_unfit_resource(role: str, policy: str) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": [filled_statement(one) for one in ROLES[role][policy]()]})

    found = [
        (finding.issue, action)
        for finding in parliament.analyze_policy_string(text).findings
        for action in actions_of(finding.detail)
    ]

    if policy == OF_THE_GUIDE:
        found = [(issue, action) for issue, action in found if issue != "RESOURCE_MISMATCH"]
    assert [one for one in found if one not in ACCEPTED] == []


def actions_of(detail: Any) -> list[str]:
    if isinstance(detail, str):
        return [detail.removeprefix("Unknown action ")]
    return [one["action"] if isinstance(one, dict) else one for one in detail]


def test_watching_and_changing_are_apart() -> None:
    reads = ("Describe", "List", "Get")
    for statement in ROLES["airflow"]["watch"]():
        for action in statement.actions:
            assert action.partition(":")[2].startswith(reads), action
