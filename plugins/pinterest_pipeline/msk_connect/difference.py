"""Where the service's connector differs from its file: pure comparison of a request and a report.

What one side has and the other lacks differs. The exceptions are few, and named here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pinterest_pipeline.msk_connect.client import Connector

NEVER_REPORTED = frozenset({"tags"})  # the only member of CreateConnector that DescribeConnector does not have
NO_EFFECT = frozenset({"connectorDescription"})  # set at creation, read by people only: no reason to delete a connector
LEFT_OUT: Mapping[str, Any] = {"logDelivery": {}, "networkType": "IPV4", "workerConfiguration": None}  # then it is this
CHOSEN_BY_SERVICE = frozenset({"scaleInPolicy", "scaleOutPolicy", "securityGroups"})  # where the request has none
WORKER_SETTING = ("capacity", "plugins", "workerConfiguration")  # one UpdateConnector request takes all three
APART = frozenset({"connectorName", "connectorConfiguration"})


@dataclass(frozen=True)
class Difference:
    """What is not as wanted, as paths; names only, because values may be secrets.

    :param configuration: Keys of ``connectorConfiguration``.
    :param worker_setting: Below ``capacity``, ``plugins`` and ``workerConfiguration``.
    :param fixed: What no UpdateConnector request can change.
    :param without_effect: What is left as it is.
    """

    configuration: tuple[str, ...] = ()
    worker_setting: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    without_effect: tuple[str, ...] = ()


def difference(connector: Connector, wanted: Mapping[str, Any]) -> Difference:
    """Compare the connector with a CreateConnector request."""
    current, target = connector.configuration, wanted["connectorConfiguration"]
    left = {"tasks.max"} if "autoScaling" in (wanted.get("capacity") or {}) else set()  # then MSK Connect sets it
    names = sorted(name for name in {*current, *target} - left if current.get(name) != target.get(name))
    reported, request = {**LEFT_OUT, **connector.described}, {**LEFT_OUT, **wanted}
    paths = [
        path
        for member in sorted(request.keys() - APART - NEVER_REPORTED)
        for path in _differing(_comparable(member, reported.get(member)), _comparable(member, request[member]), member)
    ]
    unchangeable = [f"connectorConfiguration.{name}" for name in names if name == "connector.class"]
    return Difference(
        configuration=tuple(names),
        worker_setting=tuple(path for path in paths if member_of(path) in WORKER_SETTING),
        fixed=(*unchangeable, *(path for path in paths if member_of(path) not in {*WORKER_SETTING, *NO_EFFECT})),
        without_effect=tuple(path for path in paths if member_of(path) in NO_EFFECT),
    )


def worker_setting_update(found: Difference, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the UpdateConnector request that removes the differences of the worker setting."""
    members = {member_of(path) for path in found.worker_setting}
    update = {member: wanted[member] for member in WORKER_SETTING if member in members and member in wanted}
    if "workerConfiguration" in members - update.keys():
        update["useDefaultWorkerConfiguration"] = True
    return update


def member_of(path: str) -> str:
    return path.partition(".")[0]


def _differing(reported: Any, wanted: Any, path: str) -> Iterator[str]:
    if isinstance(reported, Mapping) and isinstance(wanted, Mapping):
        for name in sorted({*reported, *wanted}):
            if name in wanted or name not in CHOSEN_BY_SERVICE:
                yield from _differing(reported.get(name), wanted.get(name), f"{path}.{name}")
    elif reported != wanted:
        yield path


def _comparable(name: str, value: Any) -> Any:
    """Bring what means the same into the same form: lists in one order, log destinations without those that are off."""
    match name, value:
        case "bootstrapServers", str():
            return sorted(server.strip() for server in value.split(","))
        case "logDelivery", Mapping():
            destinations = value.get("workerLogDelivery") or {}
            return {each: target for each, target in destinations.items() if target.get("enabled")}
        case _, Mapping():
            return {member: _comparable(member, inner) for member, inner in value.items()}
        case _, list():
            return sorted((_comparable("", inner) for inner in value), key=repr)
    return value
