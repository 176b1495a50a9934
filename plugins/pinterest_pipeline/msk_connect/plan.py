"""What to do so that a connector is as its file says: pure decisions over the file and the service's report."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.json_templates import fill, read_json
from pinterest_pipeline.common.polling import PollResult
from pinterest_pipeline.msk_connect.client import Connector

NOT_DESCRIBED = frozenset({"tags"})  # DescribeConnector does not return them


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


@dataclass(frozen=True)
class Difference:
    """Where the service's connector differs from the wanted one; names only, because values may be secrets."""

    configuration: tuple[str, ...]
    capacity: bool
    fixed: tuple[str, ...]  # what UpdateConnector cannot change


def difference(connector: Connector, wanted: Mapping[str, Any]) -> Difference:
    """Compare; fields that the request leaves to the service, or that the service does not report, are equal."""
    current, target = connector.configuration, wanted["connectorConfiguration"]
    names = sorted(name for name in {*current, *target} if current.get(name) != target.get(name))
    others = wanted.keys() - {"connectorConfiguration", "capacity", "connectorName"} - NOT_DESCRIBED
    return Difference(
        configuration=tuple(names),
        capacity=not _includes(connector.described.get("capacity"), wanted.get("capacity")),
        fixed=tuple(sorted(name for name in others if not _includes(connector.described.get(name), wanted[name]))),
    )


def _includes(reported: Any, wanted: Any) -> bool:
    if reported is None or wanted is None:
        return True
    if isinstance(reported, dict) and isinstance(wanted, dict):
        return all(_includes(reported.get(name), value) for name, value in wanted.items())
    if isinstance(reported, list) and isinstance(wanted, list):
        return len(reported) == len(wanted) and all(map(_includes, reported, wanted))
    return bool(reported == wanted)


class Step(StrEnum):
    """One action towards the wanted connector; after it, check again."""

    CREATE = "create"
    WAIT_RUNNING = "wait until it is running"
    WAIT_DELETED = "wait until it is deleted"
    DELETE = "delete"
    UPDATE_CONFIGURATION = "update its configuration"
    UPDATE_CAPACITY = "update its capacity"
    NOTHING = "nothing"


def next_step(connector: Connector | None, wanted: Mapping[str, Any], *, recreate_failed: bool) -> Step:
    """Choose the next action.

    :raises PermanentError: the connector failed and may not be recreated, or differs in what cannot be updated.
    """
    if connector is None:
        return Step.CREATE
    if connector.state == "DELETING":
        return Step.WAIT_DELETED
    if connector.state == "FAILED":
        if recreate_failed:
            return Step.DELETE
        raise PermanentError(
            f"Connector {connector.name} is FAILED ({connector.state_reason or 'no reason given'}): read its worker "
            f"log, correct the cause, then run again with recreate_failed=True (its offsets stay in its group)."
        )
    if connector.state == "PAUSED":
        raise PermanentError(f"Connector {connector.name} is PAUSED by someone: resume it, then run again.")
    if connector.state != "RUNNING":
        return Step.WAIT_RUNNING
    differs = difference(connector, wanted)
    if differs.fixed:
        raise PermanentError(
            f"Connector {connector.name} differs from its file in {', '.join(differs.fixed)}, which cannot be updated: "
            f"delete the connector and run again (its offsets stay in its consumer group)."
        )
    if differs.configuration:
        return Step.UPDATE_CONFIGURATION
    return Step.UPDATE_CAPACITY if differs.capacity else Step.NOTHING


class Await(StrEnum):
    """What an operator waits for between two steps."""

    RUNNING = "RUNNING"
    DELETED = "DELETED"


LASTING_STATES = frozenset({"RUNNING", "FAILED", "PAUSED", "DELETING"})  # of those, none leads to RUNNING by waiting


def check_state(arn: str, connector: Connector | None, until: str) -> PollResult:
    """Return ``{"state"}`` once waiting changes it no more, which may be another than was waited for.

    :param until: An :class:`Await`.
    :raises PermanentError: waiting for RUNNING, where the connector does not exist.
    """
    if until == Await.DELETED:
        return PollResult(waiting_for=f"connector {arn} to be deleted") if connector else PollResult({"state": until})
    if connector is None:
        raise PermanentError(f"Connector {arn} was deleted meanwhile: run the DAG pinterest_sink_connector.")
    if connector.state in LASTING_STATES:
        return PollResult({"state": connector.state})
    return PollResult(waiting_for=f"connector {connector.name} to be RUNNING, it is {connector.state}")
