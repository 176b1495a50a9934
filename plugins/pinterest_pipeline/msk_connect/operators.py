"""Bring an MSK Connect connector to the state that its file describes, and restart what failed in it."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseOperator, Context

from pinterest_pipeline.common.compat import conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.links import MskConnectLink
from pinterest_pipeline.common.polling import PollEvent, Status, require_no_failure, wait_or_defer
from pinterest_pipeline.msk_connect.client import Connector
from pinterest_pipeline.msk_connect.health import has_failed_tasks
from pinterest_pipeline.msk_connect.plan import Await, Step, difference, next_step, read_connector_file
from pinterest_pipeline.msk_connect.triggers import MskConnectStateTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.msk_connect.hook import MskConnectHook


class MskConnectOperator(BaseOperator):
    """What the operators of this module share: the connection, and waiting for a state, deferred or not.

    :param timeout: How long to wait for the service; creating takes it 5 to 10 minutes, updating as long.
    :param poll_seconds: Seconds between two polls while waiting.
    """

    template_fields: Sequence[str] = ("aws_conn_id", "region_name")
    operator_extra_links = (MskConnectLink(),)
    ui_color = "#f4e3c1"

    def __init__(
        self,
        *,
        wait: bool = True,
        timeout: timedelta = timedelta(minutes=30),
        poll_seconds: int = 15,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if poll_seconds < 1:
            raise ValueError(f"poll_seconds is {poll_seconds}, expected at least 1.")
        self.wait = wait
        self.timeout = timeout
        self.poll_seconds = poll_seconds
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> "MskConnectHook":
        from pinterest_pipeline.msk_connect.hook import MskConnectHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return MskConnectHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

    def _wait(self, until: Await, connector: Connector, until_time: float, **resume: Any) -> str:
        """Wait here and return the state, or defer and come back in ``resume``."""
        trigger = MskConnectStateTrigger(
            connector_arn=connector.arn,
            until=until.value,
            deadline=until_time,
            poll_seconds=self.poll_seconds,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
        return self._state(wait_or_defer(self, trigger, **resume))

    def _state(self, event: PollEvent) -> str:
        """Return the state in which the wait ended."""
        require_no_failure(event)
        if event["status"] == Status.TIMED_OUT:
            raise TransientError(
                f"{self.task_id}: MSK Connect did not finish within {self.timeout}; another try goes on waiting."
            )
        state: str = event["result"]["state"]
        return state


class MskConnectEnsureConnectorOperator(MskConnectOperator):
    """Create the connector, or update it where its file says something else; do nothing when both are equal.

    Checks, takes one step, checks again, until nothing is left to do: so a task that was killed between two steps goes
    on where it was. Configuration and capacity are updated one after the other (the service refuses both at once). What
    cannot be updated (plugin, cluster, role, worker configuration) is named in an error. Returns
    ``{"connector", "arn", "state", "actions"}``; actions name keys, never values.

    :param connector_file: JSON file with a CreateConnector request; ``${name}`` placeholders anywhere in its texts.
    :param connector_values: A value for each placeholder; a name that is missing or not used is an error. A list or
        a number may be given as itself or as JSON text, where the whole text is the placeholder. (templated)
    :param wait: Wait until the connector is RUNNING; otherwise return after the first change.
    :param recreate_failed: Delete and create again a connector that the service has given up. A sink's offsets
        survive that in its consumer group.
    """

    template_fields: Sequence[str] = ("connector_file", "connector_values", *MskConnectOperator.template_fields)

    def __init__(
        self,
        *,
        connector_file: str | Path,
        connector_values: Mapping[str, Any],
        recreate_failed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector_file = str(connector_file)
        self.connector_values = connector_values
        self.recreate_failed = recreate_failed

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        return self._converge(time.time() + self.timeout.total_seconds(), [])

    def resume(self, _context: Context, event: PollEvent, deadline: float, actions: list[str]) -> dict[str, Any]:
        """Go on after a deferral: whichever state it is, the next check decides."""
        self._state(event)
        return self._converge(deadline, actions)

    def _converge(self, deadline: float, actions: list[str]) -> dict[str, Any]:
        filled = read_connector_file(Path(self.connector_file), self.connector_values)
        wanted = self.hook.typed_request(filled)
        name = wanted["connectorName"]
        while True:
            connector = self.hook.find(name)
            step = next_step(connector, wanted, recreate_failed=self.recreate_failed)
            if connector and (step is Step.NOTHING or (actions and not self.wait)):
                return self._summary(connector, actions)
            if connector and step in AWAITED:
                if step is Step.WAIT_RUNNING and not self.wait:
                    return self._summary(connector, actions)
                self._wait(AWAITED[step], connector, deadline, deadline=deadline, actions=actions)
                continue
            action = self._describe(step, connector, wanted)
            if action in actions:
                raise PermanentError(
                    f"Connector {name}: MSK Connect undid or ignored this: {action}. "
                    "Read the connector's operations and its worker log; correct the connector file."
                )
            self._take(step, connector, wanted)
            actions.append(action)

    def _take(self, step: Step, connector: Connector | None, wanted: Mapping[str, Any]) -> None:
        if connector is None:
            self.hook.create(wanted)
        elif step is Step.DELETE:
            self.hook.delete(connector)
        elif step is Step.UPDATE_CONFIGURATION:
            self.hook.update(connector, connectorConfiguration=wanted["connectorConfiguration"])
        elif step is Step.UPDATE_CAPACITY:
            self.hook.update(connector, capacity=wanted["capacity"])

    @staticmethod
    def _describe(step: Step, connector: Connector | None, wanted: Mapping[str, Any]) -> str:
        if connector and step is Step.UPDATE_CONFIGURATION:
            return f"{step}: {', '.join(difference(connector, wanted).configuration)}"
        return step.value

    def _summary(self, connector: Connector, actions: list[str]) -> dict[str, Any]:
        done = "; ".join(actions) or "nothing, it is as its file says"
        self.log.info("Connector %s is %s; done: %s", connector.name, connector.state, done)
        return {"connector": connector.name, "arn": connector.arn, "state": connector.state, "actions": actions}


AWAITED = {Step.WAIT_RUNNING: Await.RUNNING, Step.WAIT_DELETED: Await.DELETED}


class MskConnectRestartOperator(MskConnectOperator):
    """Restart the failed tasks of a connector, a bounded number of times.

    The bound holds over DAG runs and retries without any state of ours: the service lists what was done to a
    connector, and its restarts within ``window`` are counted. At the bound the task fails for good, which is the alert.
    Where no task has failed it does nothing. Returns ``{"connector", "restarted", "restarts_in_window"}``.

    Needs no newer boto3 than MWAA's: ``msk_connect/hook.py`` says how. The metrics follow a restart by a minute or
    two; put a ``MskConnectHealthSensor`` behind this task to know that it helped.

    :param connector_name: Name of the connector. (templated)
    :param only_failed_tasks: Restart the failed tasks (default), or the connector and all its tasks.
    :param if_needed: Restart only when CloudWatch counts a failed task (default), or always.
    :param max_restarts: Restarts allowed within ``window``.
    """

    template_fields: Sequence[str] = ("connector_name", *MskConnectOperator.template_fields)

    def __init__(
        self,
        *,
        connector_name: str,
        only_failed_tasks: bool = True,
        if_needed: bool = True,
        max_restarts: int = 3,
        window: timedelta = timedelta(hours=1),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_restarts < 1:
            raise ValueError(f"max_restarts is {max_restarts}, expected at least 1.")
        self.connector_name = connector_name
        self.only_failed_tasks = only_failed_tasks
        self.if_needed = if_needed
        self.max_restarts = max_restarts
        self.window = window

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        connector = self.hook.get(self.connector_name)
        if connector.state not in {"RUNNING", "FAILED"}:
            raise TransientError(
                f"Connector {connector.name} is {connector.state}: it can be restarted when it is RUNNING."
            )
        earlier = self._restarts(connector)
        if self.if_needed and not self._has_failed_tasks():
            self.log.info("No task of connector %s has failed: nothing to restart", connector.name)
            return {"connector": connector.name, "restarted": False, "restarts_in_window": earlier}
        if earlier >= self.max_restarts:
            raise PermanentError(
                f"Connector {connector.name} was restarted {earlier} times within {self.window} and its tasks fail "
                "still: read its worker log, correct the cause, then restart it by hand."
            )
        self.hook.restart(connector, only_failed_tasks=self.only_failed_tasks)
        if self.wait:
            deadline = time.time() + self.timeout.total_seconds()
            self._require_running(self._wait(Await.RUNNING, connector, deadline, restarts=earlier + 1))
        return self._restarted(earlier + 1)

    def resume(self, _context: Context, event: PollEvent, restarts: int) -> dict[str, Any]:
        """End after a deferral."""
        self._require_running(self._state(event))
        return self._restarted(restarts)

    def _require_running(self, state: str) -> None:
        if state != Await.RUNNING:
            raise TransientError(f"Connector {self.connector_name} is {state} after its restart, expected RUNNING.")

    def _restarts(self, connector: Connector) -> int:
        since = datetime.now(UTC) - self.window
        return sum(operation.type == "RESTART_CONNECTOR" for operation in self.hook.operations(connector, since))

    def _has_failed_tasks(self) -> bool:
        snapshot = self.hook.snapshot(self.connector_name, [], None)
        return snapshot is not None and has_failed_tasks(snapshot)

    def _restarted(self, restarts: int) -> dict[str, Any]:
        self.log.info(
            "Restarted connector %s: %s of %s within %s", self.connector_name, restarts, self.max_restarts, self.window
        )
        return {"connector": self.connector_name, "restarted": True, "restarts_in_window": restarts}
