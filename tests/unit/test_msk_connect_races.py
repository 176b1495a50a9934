"""A connector that others change, create or delete between two requests is checked again, on stubbed clients."""

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.msk_connect.operators import MskConnectEnsureConnectorOperator
from tests.unit.scripted_msk_connect import ARN, FILLED


def ensure(msk_operator):
    return msk_operator(MskConnectEnsureConnectorOperator, poll_seconds=1).execute({})


def test_a_connector_that_is_listed_but_gone_when_described_is_checked_again(aws, msk_operator):
    aws.lists()
    aws.connect.add_client_error("describe_connector", "NotFoundException")
    aws.has_none()
    aws.connect.add_response("create_connector", {"connectorArn": ARN}, FILLED)
    aws.has()

    assert ensure(msk_operator)["actions"] == ["create"]


def test_a_version_that_changed_before_the_update_is_checked_again(aws, msk_operator):
    aws.has(configuration={"flush.size": "1"})
    aws.connect.add_client_error("update_connector", "BadRequestException", "Invalid parameter currentVersion")
    aws.describes("RUNNING", currentVersion="v2")
    aws.has()  # the other one had made the same change

    assert ensure(msk_operator)["actions"] == []


def test_a_refusal_of_an_unchanged_connector_is_no_race(aws, msk_operator):
    aws.has(configuration={"flush.size": "1"})
    aws.connect.add_client_error("update_connector", "BadRequestException", "flush.size")
    aws.describes("RUNNING", {"flush.size": "1"})

    with pytest.raises(PermanentError, match=r"updating connectorConfiguration of connector sink: .* flush\.size"):
        ensure(msk_operator)


def test_a_connector_that_another_created_meanwhile_is_checked_again(aws, msk_operator):
    aws.has_none()
    aws.connect.add_client_error("create_connector", "ConflictException", "A resource with this name")
    aws.has()

    assert ensure(msk_operator)["actions"] == []


def test_a_connector_that_never_stays_the_same_ends_the_try(aws, msk_operator):
    for _ in range(4):
        aws.lists()
        aws.connect.add_client_error("describe_connector", "NotFoundException")

    with pytest.raises(TransientError, match="Connector sink was deleted while it was looked up"):
        ensure(msk_operator)


def test_a_connector_deleted_while_it_is_waited_for_is_created_again(aws, msk_operator):
    aws.has("CREATING")
    aws.connect.add_client_error("describe_connector", "NotFoundException")
    aws.has_none()
    aws.connect.add_response("create_connector", {"connectorArn": ARN}, FILLED)
    aws.has()

    assert ensure(msk_operator)["actions"] == ["create"]
