"""What to do so that a connector is as its file says: pure decisions over the file and the service's report."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.json_templates import fill, read_json
from pinterest_pipeline.common.polling import PollResult
from pinterest_pipeline.msk_connect.client import Connector, Operation
from pinterest_pipeline.msk_connect.difference import difference

RECREATE = (
    "run the DAG pinterest_sink_connector with the parameter recreate, which deletes and creates the connector (its "
    "offsets stay in its consumer group)"
)


def read_connector_file(file: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the CreateConnector request that ``file`` describes, its ``${placeholders}`` filled from ``values``.

    A text that is one placeholder and nothing else takes the value as it is (a list stays a list).
    Every missing and every unused name is listed at once.
    """
    request = read_json(file, "Connector file", argument="connector_file")
    if not isinstance(request, dict) or not request.get("connectorName"):
        raise PermanentError(f"Connector file {file} has no connectorName: write a CreateConnector request into it.")
    if not isinstance(values, Mapping):
        raise PermanentError(
            f"connector_values of {file} is a {type(values).__name__}, expected a name and a value each."
        )
    result: dict[str, Any] = fill(request, values, f"Connector file {file}", remedy="correct connector_values")
    return result


class Step(StrEnum):
    """One action towards the wanted connector; after it, check again."""

    CREATE = "create"
    WAIT_CHANGED = "wait until its state lasts"
    WAIT_DELETED = "wait until it is deleted"
    DELETE = "delete"
    PAUSE = "pause"
    RESUME = "resume"
    UPDATE_WORKER_SETTING = "update its worker setting"
    UPDATE_CONFIGURATION = "update its configuration"
    NOTHING = "nothing"


def next_step(
    connector: Connector | None, wanted: Mapping[str, Any], *, recreate: bool, paused: bool | None = None
) -> Step:
    """Choose the next action.

    :param recreate: Delete one that failed, or that differs in what cannot be updated; the next step creates it.
    :param paused: Whether it is to be paused; None respects a pause by a person, which is then an error.
    :raises PermanentError: the connector failed and may not be recreated, is paused by a person, or differs in what
        cannot be updated.
    """
    if connector is None:
        return Step.CREATE
    match connector.state:
        case "DELETING":
            return Step.WAIT_DELETED
        case "FAILED":
            return _step_of_failed(connector, recreate=recreate)
        case "PAUSED":
            return _step_of_paused(connector, paused=paused)
        case "RUNNING":
            return Step.PAUSE if paused else _step_of_running(connector, wanted, recreate=recreate)
    return Step.WAIT_CHANGED


def _step_of_failed(connector: Connector, *, recreate: bool) -> Step:
    if recreate:
        return Step.DELETE
    raise PermanentError(
        f"Connector {connector.name} is FAILED ({connector.state_reason or 'no reason given'}): read its worker "
        f"log, correct the cause, then {RECREATE}."
    )


def _step_of_paused(connector: Connector, *, paused: bool | None) -> Step:
    if paused is None:
        raise PermanentError(
            f"Connector {connector.name} is PAUSED by someone, and posts wait in Kafka: to resume it, run the DAG "
            "pinterest_sink_connector with the parameter pause = false."
        )
    return Step.NOTHING if paused else Step.RESUME


def _step_of_running(connector: Connector, wanted: Mapping[str, Any], *, recreate: bool) -> Step:
    differs = difference(connector, wanted)
    if differs.fixed and recreate:
        return Step.DELETE
    if differs.fixed:
        raise PermanentError(
            f"Connector {connector.name} differs from its file in {', '.join(differs.fixed)}, which cannot be updated: "
            f"{RECREATE}."
        )
    if differs.worker_setting:  # first: a newer plugin may be what the new configuration is for
        return Step.UPDATE_WORKER_SETTING
    return Step.UPDATE_CONFIGURATION if differs.configuration else Step.NOTHING


class Await(StrEnum):
    """What an operator waits for between two steps."""

    LASTING = "LASTING"
    DELETED = "DELETED"


LASTING_STATES = frozenset({"RUNNING", "FAILED", "PAUSED", "DELETING"})  # waiting alone leads from none to another


def check_state(arn: str, connector: Connector | None, until: str) -> PollResult:
    """Return ``{"state"}`` once the state is what is waited for; ``DELETED`` where there is no connector any more.

    :param until: An :class:`Await`.
    """
    if connector is None:
        return PollResult({"state": Await.DELETED.value})
    if until == Await.DELETED:
        return PollResult(waiting_for=f"connector {arn} to be deleted")
    if connector.state in LASTING_STATES:
        return PollResult({"state": connector.state})
    return PollResult(waiting_for=f"connector {connector.name} to be RUNNING, it is {connector.state}")


def check_operation(name: str, operation: Operation | None) -> PollResult:
    """Return ``{"state"}`` of an operation that is over; ``DELETED`` where its connector is deleted.

    :raises PermanentError: it failed, or was rolled back, with the service's reason.
    """
    if operation is None:
        return PollResult({"state": Await.DELETED.value})
    if operation.state == "ROLLBACK_COMPLETE" or operation.state.endswith("_FAILED"):
        raise PermanentError(
            f"Connector {name}: {operation.type} ended in {operation.state} ({operation.reason or 'no reason given'}): "
            "read its worker log, correct the connector file or what the log names, then run again."
        )
    if operation.state.endswith("_COMPLETE"):
        return PollResult({"state": operation.state})
    return PollResult(waiting_for=f"{operation.type} of connector {name}, which is {operation.state}")
