"""Pure decisions: what a request may say, what is sent to the Connect worker, and what its status means."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from sandbox.servers.msk_connect.errors import BadRequestError, ConflictError

# What the cloud's plugin calls its classes, and who does the work here.
CONNECTOR_CLASSES = {"io.confluent.connect.s3.S3SinkConnector": "pinterest.sandbox.s3sink.S3SinkConnector"}
REQUIRED_TO_CREATE = (
    "capacity",
    "connectorConfiguration",
    "connectorName",
    "kafkaCluster",
    "kafkaClusterClientAuthentication",
    "kafkaClusterEncryptionInTransit",
    "kafkaConnectVersion",
    "plugins",
    "serviceExecutionRoleArn",
)
REQUIRED_PROPERTIES = ("connector.class", "tasks.max")
PENDING_TASKS = frozenset({"UNASSIGNED", "RESTARTING"})
TRANSITIONS = frozenset({"CREATING", "UPDATING", "RESTARTING", "PAUSING", "RESUMING", "DELETING"})
CHANGEABLE_STATES = frozenset({"RUNNING", "FAILED"})
INVALID_CONFIGURATION = "InvalidInput.InvalidConnectorConfiguration"
UNKNOWN_ERROR = "UnknownError.Unknown"


class Progress(Enum):
    """What the worker's status says about a connector that the service is bringing up."""

    PENDING = "pending"
    UP = "up"
    FAILED = "failed"


def check_creation(request: Mapping[str, Any]) -> None:
    """Refuse a CreateConnector request that the service would refuse; all missing fields are named at once."""
    if missing := [name for name in REQUIRED_TO_CREATE if not request.get(name)]:
        raise BadRequestError(f"Invalid request: missing {', '.join(missing)}.")
    check_capacity(request["capacity"])
    check_configuration(request["connectorConfiguration"])
    check_plugins(request["plugins"])


def check_plugins(plugins: object) -> None:
    if not isinstance(plugins, list) or not all(
        isinstance(plugin, dict) and plugin.get("customPlugin", {}).get("customPluginArn") for plugin in plugins
    ):
        raise BadRequestError(
            "Invalid parameter plugins: each must be a customPlugin with customPluginArn and revision."
        )


def check_capacity(capacity: Mapping[str, Any]) -> None:
    if len(capacity) != 1 or not capacity.keys() <= {"autoScaling", "provisionedCapacity"}:
        raise BadRequestError("Invalid parameter capacity: specify exactly one of autoScaling and provisionedCapacity.")


def check_configuration(configuration: Mapping[str, str]) -> None:
    if missing := [name for name in REQUIRED_PROPERTIES if not configuration.get(name)]:
        raise BadRequestError(f"Invalid parameter connectorConfiguration: missing {', '.join(missing)}.")
    tasks = configuration["tasks.max"]
    if not tasks.isdecimal() or int(tasks) < 1:
        raise BadRequestError(f"Invalid parameter connectorConfiguration: tasks.max is {tasks!r}, expected 1 or more.")


def check_version(connector: Mapping[str, Any], version: str | None) -> None:
    if version != connector["currentVersion"]:
        raise BadRequestError(
            f"Invalid parameter currentVersion: it is {connector['currentVersion']}, not {version}: describe it again."
        )


def check_idle(connector: Mapping[str, Any]) -> None:
    """Refuse while another operation is in progress, as pause and resume alone do with a conflict."""
    if (state := connector["connectorState"]) in TRANSITIONS:
        raise ConflictError(f"Connector {connector['connectorName']} is {state}: another operation is in progress.")


def check_state(connector: Mapping[str, Any], allowed: frozenset[str] = CHANGEABLE_STATES) -> None:
    state = connector["connectorState"]
    if state not in allowed:
        raise BadRequestError(
            f"Connector {connector['connectorName']} is {state}: this needs {' or '.join(sorted(allowed))}."
        )


def worker_configuration(name: str, configuration: Mapping[str, str]) -> dict[str, str]:
    """Return the configuration for the Connect worker's REST API."""
    wanted = configuration["connector.class"]
    return {**configuration, "name": name, "connector.class": CONNECTOR_CLASSES.get(wanted, wanted)}


def progress(status: Mapping[str, Any] | None) -> Progress:
    """Read the worker's status. A failed *task* does not fail the connector: the service calls that RUNNING."""
    if status is None:
        return Progress.PENDING
    if status["connector"]["state"] == "FAILED":
        return Progress.FAILED
    tasks = [task["state"] for task in status["tasks"]]
    if status["connector"]["state"] in PENDING_TASKS or not tasks or PENDING_TASKS.intersection(tasks):
        return Progress.PENDING
    return Progress.UP


def task_counts(status: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the metrics that the service publishes of a connector's tasks and workers."""
    tasks = status["tasks"] if status else []
    return {
        "RunningTaskCount": sum(task["state"] == "RUNNING" for task in tasks),
        "ErroredTaskCount": sum(task["state"] == "FAILED" for task in tasks),
        "WorkerCount": len({task["worker_id"] for task in tasks}),
    }
