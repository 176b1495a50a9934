"""What to do so that a connector is as its file says: pure decisions over the file and the service's report."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Template
from typing import Any

from pinterest_pipeline.connector_api import Connector
from pinterest_pipeline.errors import PermanentError

WHOLE_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
NOT_DESCRIBED = frozenset({"tags"})  # DescribeConnector does not return them


def read_connector_file(file: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the CreateConnector request that ``file`` describes, its ``${placeholders}`` filled from ``values``.

    A text that is one placeholder and nothing else takes the value as it is (a list stays a list).
    Every missing and every unused name is listed at once.
    """
    try:
        request = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PermanentError(f"Connector file {file} does not exist: correct connector_file.") from error
    except ValueError as error:
        raise PermanentError(f"Connector file {file} is not JSON ({error}): correct it.") from error
    if not isinstance(request, dict) or not request.get("connectorName"):
        raise PermanentError(f"Connector file {file} has no connectorName: write a CreateConnector request into it.")
    if not isinstance(values, Mapping):
        raise PermanentError(
            f"connector_values of {file} is a {type(values).__name__}, expected a name and a value each."
        )
    check_placeholders(request, values, file)
    filled: dict[str, Any] = _filled(request, values)
    return filled


def check_placeholders(request: Any, values: Mapping[str, Any], file: Path) -> None:
    used: set[str] = set()
    for text in _texts(request):
        template = Template(text)
        if not template.is_valid():
            raise PermanentError(
                f"Connector file {file} has a malformed placeholder in {text!r}: write $$ for a dollar."
            )
        used.update(template.get_identifiers())
    missing, unused = sorted(used - values.keys()), sorted(values.keys() - used)
    empty = sorted(name for name in used & values.keys() if values[name] in (None, "", "None"))
    problems = [
        f"{what} {', '.join(names)}"
        for what, names in (
            ("no value for", missing),
            ("an empty value for", empty),
            ("a value that it does not use for", unused),
        )
        if names
    ]
    if problems:
        raise PermanentError(f"Connector file {file} was given {' and '.join(problems)}: correct connector_values.")


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for member in value.values():
                yield from _texts(member)
        case list():
            for member in value:
                yield from _texts(member)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    match value:
        case str():
            whole = WHOLE_PLACEHOLDER.fullmatch(value)
            return values[whole.group(1)] if whole else Template(value).substitute(values)
        case dict():
            return {key: _filled(member, values) for key, member in value.items()}
        case list():
            return [_filled(member, values) for member in value]
    return value


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
    """One action towards the wanted connector; after it, look again."""

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
