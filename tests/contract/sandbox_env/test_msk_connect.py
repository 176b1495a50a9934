"""The MSK Connect API over the real Connect worker, driven by boto3: a connector's life."""

from datetime import UTC, datetime
from itertools import chain

import httpx
import pytest

from tests.support.msk_connect import MskConnectLab, refused
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("msk_connect")


@pytest.fixture
def lab(environment):
    lab = MskConnectLab(environment)
    yield lab
    lab.close()


def test_a_connector_is_created_described_and_deleted(lab):
    wanted = lab.request()
    arn = lab.create()

    described = lab.described(arn)
    assert described["connectorState"] == "RUNNING"
    assert {name: described[name] for name in wanted} == wanted
    assert described["creationTime"] <= datetime.now(UTC)
    worker = httpx.get(f"{lab.environment['KAFKA_CONNECT_URL']}/connectors/{lab.name}").json()["config"]
    assert worker["connector.class"] == "pinterest.sandbox.s3sink.S3SinkConnector"

    deleting = lab.connect.delete_connector(connectorArn=arn, currentVersion=described["currentVersion"])
    assert deleting["connectorState"] == "DELETING"
    wait_until(lambda: not lab.exists(arn), 60, f"{arn} is deleted", pause=0.2)
    assert httpx.get(f"{lab.environment['KAFKA_CONNECT_URL']}/connectors/{lab.name}").status_code == 404


def test_a_configuration_that_the_worker_refuses_fails_the_connector(lab):
    failed = lab.described(lab.create(**{"flush.size": "0"}))

    assert failed["connectorState"] == "FAILED"
    assert failed["stateDescription"]["code"] == "InvalidInput.InvalidConnectorConfiguration"
    assert "flush.size" in failed["stateDescription"]["message"]


def test_an_unknown_class_fails_the_connector(lab):
    failed = lab.described(lab.create(**{"connector.class": "com.example.Missing"}))

    assert failed["connectorState"] == "FAILED"
    assert "com.example.Missing" in failed["stateDescription"]["message"]


def test_an_update_changes_configuration_and_version(lab):
    arn = lab.create()
    before = lab.described(arn)

    update = lab.connect.update_connector(
        connectorArn=arn,
        currentVersion=before["currentVersion"],
        connectorConfiguration=lab.configuration(**{"flush.size": "7"}),
    )

    assert update["connectorState"] == "UPDATING"
    after = lab.described(arn)
    assert after["connectorConfiguration"]["flush.size"] == "7"
    assert after["currentVersion"] != before["currentVersion"]
    operation = lab.connect.describe_connector_operation(connectorOperationArn=update["connectorOperationArn"])
    assert operation["connectorOperationState"] == "UPDATE_COMPLETE"
    assert operation["originConnectorConfiguration"]["flush.size"] == "1000"
    assert operation["targetConnectorConfiguration"]["flush.size"] == "7"


def test_a_bad_update_is_rolled_back(lab):
    arn = lab.create()
    before = lab.described(arn)

    update = lab.connect.update_connector(
        connectorArn=arn,
        currentVersion=before["currentVersion"],
        connectorConfiguration=lab.configuration(**{"flush.size": "0"}),
    )

    after = lab.described(arn)
    assert (after["connectorState"], after["currentVersion"]) == ("RUNNING", before["currentVersion"])
    assert after["connectorConfiguration"]["flush.size"] == "1000"
    operation = lab.connect.describe_connector_operation(connectorOperationArn=update["connectorOperationArn"])
    assert operation["connectorOperationState"] == "ROLLBACK_COMPLETE"
    assert "flush.size" in operation["errorInfo"]["message"]


def test_capacity_is_updated_and_the_history_is_listed_newest_first(lab):
    arn = lab.create()
    capacity = {"provisionedCapacity": {"mcuCount": 1, "workerCount": 2}}
    version = lab.described(arn)["currentVersion"]
    lab.connect.update_connector(connectorArn=arn, currentVersion=version, capacity=capacity)
    assert lab.described(arn)["capacity"] == capacity

    lab.connect.restart_connector(connectorArn=arn, onlyFailedTasks=False)
    lab.described(arn)

    pages = [lab.connect.list_connector_operations(connectorArn=arn, maxResults=1)]
    pages.append(lab.connect.list_connector_operations(connectorArn=arn, maxResults=1, nextToken=pages[0]["nextToken"]))
    assert "nextToken" not in pages[1]
    listed = [
        (o["connectorOperationType"], o["connectorOperationState"]) for p in pages for o in p["connectorOperations"]
    ]
    assert listed == [("RESTART_CONNECTOR", "RESTART_COMPLETE"), ("UPDATE_WORKER_SETTING", "UPDATE_COMPLETE")]


def test_connectors_are_listed_by_prefix_in_pages(lab):
    arns = [lab.create(suffix, **{"flush.size": "0"}) for suffix in ("-a", "-b", "-c")]

    pages = list(
        lab.connect.get_paginator("list_connectors").paginate(
            connectorNamePrefix=lab.name, PaginationConfig={"PageSize": 2}
        )
    )

    assert [[c["connectorArn"] for c in page["connectors"]] for page in pages] == [arns[:2], arns[2:]]


def test_errors_have_the_services_types(lab):
    arn = lab.create()
    version = lab.described(arn)["currentVersion"]
    connect = lab.connect
    nowhere = arn[:-2] + "-9"

    assert refused(connect.describe_connector, connectorArn=nowhere)[:2] == ("NotFoundException", 404)
    assert refused(connect.delete_connector, connectorArn=nowhere)[:2] == ("NotFoundException", 404)
    assert refused(connect.create_connector, **lab.request())[:2] == ("ConflictException", 409)
    assert refused(connect.describe_connector, connectorArn="nonsense")[:2] == ("BadRequestException", 400)
    assert refused(connect.list_connectors, nextToken="?")[:2] == ("BadRequestException", 400)
    capacity = {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}}
    stale = refused(connect.update_connector, connectorArn=arn, currentVersion="K0", capacity=capacity)
    assert stale[:2] == ("BadRequestException", 400)
    assert version in stale[2]
    unknown_plugin = lab.request("-x")
    unknown_plugin["plugins"][0]["customPlugin"]["revision"] = 2
    assert refused(connect.create_connector, **unknown_plugin)[:2] == ("BadRequestException", 400)


@pytest.mark.parametrize("verb", ["pause", "resume", "restart"])
def test_pause_resume_and_restart_are_operations_that_can_be_followed(lab, verb):
    arn = lab.create()
    lab.described(arn)
    if verb == "resume":
        lab.operation(lab.connect.pause_connector(connectorArn=arn)["connectorOperationArn"])

    answer = getattr(lab.connect, f"{verb}_connector")(connectorArn=arn)

    assert answer["connectorArn"] == arn
    operation = lab.operation(answer["connectorOperationArn"])
    kinds = (operation["connectorOperationType"], operation["connectorOperationState"])
    assert kinds == (f"{verb.upper()}_CONNECTOR", f"{verb.upper()}_COMPLETE")
    assert operation["creationTime"] <= operation["endTime"]
    assert lab.described(arn)["connectorState"] == ("PAUSED" if verb == "pause" else "RUNNING")


def test_a_state_that_an_operation_does_not_fit_is_refused(lab):
    arn = lab.create()
    lab.described(arn)

    assert refused(lab.connect.resume_connector, connectorArn=arn)[:2] == ("BadRequestException", 400)
    pausing = lab.connect.pause_connector(connectorArn=arn)["connectorOperationArn"]
    assert refused(lab.connect.pause_connector, connectorArn=arn)[:2] == ("ConflictException", 409)
    lab.operation(pausing)
    assert refused(lab.connect.pause_connector, connectorArn=arn)[:2] == ("BadRequestException", 400)
    assert refused(lab.connect.restart_connector, connectorArn=arn)[:2] == ("BadRequestException", 400)


def test_the_worker_setting_is_updated_in_one_request_and_an_operation_names_both_sides(lab):
    arn = lab.create()
    before = lab.described(arn)
    made = lab.connect.create_worker_configuration(name=lab.name, propertiesFileContent="YT1i")
    worker = {"workerConfigurationArn": made["workerConfigurationArn"], "revision": 1}
    capacity = {
        "autoScaling": {
            "mcuCount": 1, "minWorkerCount": 2, "maxWorkerCount": 3,
            "scaleInPolicy": {"cpuUtilizationPercentage": 20}, "scaleOutPolicy": {"cpuUtilizationPercentage": 80},
        }
    }  # fmt: skip

    def update(**change):
        version = lab.described(arn)["currentVersion"]
        answer = lab.connect.update_connector(connectorArn=arn, currentVersion=version, **change)
        return lab.operation(answer["connectorOperationArn"])

    operation = update(capacity=capacity, workerConfiguration=worker)

    assert operation["connectorOperationState"] == "UPDATE_COMPLETE"
    assert operation["originWorkerSetting"]["useDefaultWorkerConfiguration"] is True
    assert operation["targetWorkerSetting"]["workerConfiguration"] == worker
    scaled = lab.described(arn)
    assert (scaled["capacity"], scaled["workerConfiguration"]) == (capacity, worker)
    assert scaled["connectorConfiguration"]["tasks.max"] == "4"  # two for each MCU of the workers

    update(capacity=before["capacity"], useDefaultWorkerConfiguration=True)

    plain = lab.described(arn)
    assert "workerConfiguration" not in plain
    assert plain["capacity"] == before["capacity"]
    lab.connect.delete_worker_configuration(workerConfigurationArn=made["workerConfigurationArn"])


def test_every_answer_has_the_members_and_the_values_of_botocores_model(lab):
    arn = lab.create()
    lab.described(arn)
    lab.connect.restart_connector(connectorArn=arn)
    quoted = arn.replace("/", "%2F")
    operations = lab.call("GET", f"/v1/connectors/{quoted}/operations").json()
    operation = operations["connectorOperations"][0]["connectorOperationArn"].replace("/", "%2F")
    lab.described(arn)
    answers = {
        "ListConnectors": lab.call("GET", "/v1/connectors").json(),
        "DescribeConnector": lab.call("GET", f"/v1/connectors/{quoted}").json(),
        "ListConnectorOperations": operations,
        "DescribeConnectorOperation": lab.call("GET", f"/v1/connectorOperations/{operation}").json(),
        "PauseConnector": lab.call("PUT", f"/v1/connectors/{quoted}/pause").json(),
        "ListCustomPlugins": lab.call("GET", "/v1/custom-plugins").json(),
    }

    model = lab.connect.meta.service_model
    found = [strange(answer, model.operation_model(name).output_shape, name) for name, answer in answers.items()]

    assert list(chain.from_iterable(found)) == []


def strange(value, shape, path):
    """Yield what the shape of a response does not have: a member, or a value of an enumeration."""
    if shape.type_name == "structure":
        for name, member in value.items():
            if name not in shape.members:
                yield f"{path}.{name}"
            else:
                yield from strange(member, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for member in value:
            yield from strange(member, shape.member, path)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}={value}"
