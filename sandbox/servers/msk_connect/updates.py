"""Pure decisions about UpdateConnector, which takes either the configuration or members of the worker setting."""

from collections.abc import Mapping
from typing import Any

from sandbox.servers.msk_connect.errors import BadRequestError
from sandbox.servers.msk_connect.translation import (
    check_capacity,
    check_configuration,
    check_plugins,
    check_state,
    check_version,
)

CONFIGURATION, WORKER_SETTING = "UPDATE_CONNECTOR_CONFIGURATION", "UPDATE_WORKER_SETTING"
UPDATABLE = ("capacity", "plugins", "workerConfiguration")
WORKER_SETTINGS = (*UPDATABLE, "useDefaultWorkerConfiguration")


def check(request: Mapping[str, Any], connector: Mapping[str, Any], version: str | None) -> str:
    """Refuse an update that the service would refuse; return the type of the operation that it is."""
    settings = [name for name in WORKER_SETTINGS if request.get(name)]
    if bool(settings) == bool(request.get("connectorConfiguration")):
        raise BadRequestError(
            f"Invalid request: specify either connectorConfiguration or one or more of {', '.join(WORKER_SETTINGS)}."
        )
    if {"workerConfiguration", "useDefaultWorkerConfiguration"} <= set(settings):
        raise BadRequestError("Invalid request: specify one of workerConfiguration and useDefaultWorkerConfiguration.")
    check_version(connector, version)
    check_state(connector)
    if not settings:
        check_new_configuration(connector, request["connectorConfiguration"])
        return CONFIGURATION
    if "capacity" in settings:
        check_capacity(request["capacity"])
    if "plugins" in settings:
        check_plugins(request["plugins"])
    return WORKER_SETTING


def check_new_configuration(connector: Mapping[str, Any], configuration: Mapping[str, str]) -> None:
    check_configuration(configuration)
    old = connector["connectorConfiguration"]["connector.class"]
    if configuration["connector.class"] != old:
        raise BadRequestError(f"Invalid parameter connectorConfiguration: connector.class cannot change from {old}.")


def updated(connector: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the connector's members that the update changes; None for one that it has no longer."""
    members = {name: request[name] for name in (*UPDATABLE, "connectorConfiguration") if request.get(name)}
    if request.get("useDefaultWorkerConfiguration"):
        members["workerConfiguration"] = None
    configuration = scaled({**connector, **members})
    return {**members, "connectorConfiguration": configuration}


def scaled(connector: Mapping[str, Any]) -> dict[str, str]:
    """Return the configuration with the tasks that autoscaling gives: two for each MCU, up to a limit."""
    configuration = connector["connectorConfiguration"]
    if not (scaling := connector["capacity"].get("autoScaling")):
        return dict(configuration)
    tasks = 2 * int(scaling["mcuCount"]) * int(scaling["minWorkerCount"])
    return {**configuration, "tasks.max": str(min(tasks, int(scaling.get("maxAutoscalingTaskCount", tasks))))}


def described(connector: Mapping[str, Any], kind: str, side: str) -> dict[str, Any]:
    """Name the setting before or after an update (``origin``, ``target``) as DescribeConnectorOperation does."""
    if kind == CONFIGURATION:
        return {f"{side}ConnectorConfiguration": connector["connectorConfiguration"]}
    setting = {"capacity": connector["capacity"], "plugins": connector["plugins"]}
    if connector.get("workerConfiguration"):
        setting["workerConfiguration"] = connector["workerConfiguration"]
    else:
        setting["useDefaultWorkerConfiguration"] = True
    return {f"{side}WorkerSetting": setting}
