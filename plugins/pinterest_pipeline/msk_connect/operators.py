"""Bring an MSK Connect connector to the state that its file describes."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, override

import tenacity
from airflow.sdk import BaseOperator, Context

from pinterest_pipeline.common.backoff import pause_seconds
from pinterest_pipeline.common.compat import AirflowSkipException, conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.links import MskConnectLink
from pinterest_pipeline.common.polling import PollEvent, Status, require_no_failure, wait_or_defer
from pinterest_pipeline.msk_connect.client import Connector, ConnectorChangedError
from pinterest_pipeline.msk_connect.difference import Difference, difference, worker_setting_update
from pinterest_pipeline.msk_connect.plan import Await, Step, next_step, read_connector_file
from pinterest_pipeline.msk_connect.triggers import (
    MskConnectOperationTrigger,
    MskConnectStateTrigger,
    MskConnectTrigger,
)

if TYPE_CHECKING:
    from pinterest_pipeline.msk_connect.hook import MskConnectHook


MAX_CHECKS = 4  # of a connector that others change meanwhile


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

    def _wait(self, trigger: type[MskConnectTrigger], what: Mapping[str, str], until_time: float, **resume: Any) -> str:
        """Wait here and return the state, or defer and come back in ``resume``."""
        waiting = trigger(
            **what,
            deadline=until_time,
            poll_seconds=self.poll_seconds,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
        return self._state(wait_or_defer(self, waiting, **resume))

    def _checking_again[T](self, step: Callable[[], T]) -> T:
        """Take a step, and take it again where the connector changed between its check and its action."""
        attempts: Callable[[Callable[[], T]], T] = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ConnectorChangedError),
            stop=tenacity.stop_after_attempt(MAX_CHECKS),
            wait=lambda state: pause_seconds(state.attempt_number, first=1, longest=self.poll_seconds),
            before_sleep=lambda state: self.log.warning(
                "%s: checking again", state.outcome and state.outcome.exception()
            ),
            reraise=True,
        )
        return attempts(step)

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
    on where it was, and a change by someone else between two requests is one check more. The worker setting (capacity,
    plugin, worker configuration) and the configuration are updated one after the other, because the service refuses
    both at once; an update that it rolls back is an error with its reason. What cannot be updated (cluster, role, log
    delivery) is named in an error. Returns ``{"connector", "arn", "state", "actions"}``; actions name keys, never
    values.

    :param connector_file: JSON file with a CreateConnector request; ``${name}`` placeholders anywhere in its texts.
    :param connector_values: A value for each placeholder; a name that is missing or not used is an error. A list or
        a number may be given as itself or as JSON text, where the whole text is the placeholder. (templated)
    :param wait: Wait until the connector is RUNNING; otherwise return after the first change.
    :param recreate: Delete and create again a connector that the service has given up, or that differs in what cannot
        be updated. A sink's offsets survive that in its consumer group. (templated)
    :param paused: True pauses the connector, and skips what follows this task; False resumes it. Without it a pause by
        a person is respected, and an error. (templated)
    """

    template_fields: Sequence[str] = (
        "connector_file",
        "connector_values",
        "recreate",
        "paused",
        *MskConnectOperator.template_fields,
    )

    def __init__(
        self,
        *,
        connector_file: str | Path,
        connector_values: Mapping[str, Any],
        recreate: bool | str = False,
        paused: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector_file = str(connector_file)
        self.connector_values = connector_values
        self.recreate = recreate
        self.paused = paused

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        return self._converge(time.time() + self.timeout.total_seconds(), [])

    def resume(self, _context: Context, event: PollEvent, deadline: float, actions: list[str]) -> dict[str, Any]:
        """Go on after a deferral: the next check decides, in any state."""
        self._state(event)
        return self._converge(deadline, actions)

    def _converge(self, deadline: float, actions: list[str]) -> dict[str, Any]:
        filled = read_connector_file(Path(self.connector_file), self.connector_values)
        wanted = self.hook.typed_request(filled)
        while (summary := self._checking_again(lambda: self._advance(wanted, deadline, actions))) is None:
            pass
        if self.paused is True and self.wait:
            raise AirflowSkipException(f"Connector {wanted['connectorName']} is paused: posts wait in Kafka.")
        return summary

    def _advance(self, wanted: Mapping[str, Any], deadline: float, actions: list[str]) -> dict[str, Any] | None:
        """Check and take one step, or wait; return the summary once there is nothing left to do."""
        name = wanted["connectorName"]
        connector = self.hook.find(name)
        paused = self.paused if isinstance(self.paused, bool) else None
        step = next_step(connector, wanted, recreate=self.recreate is True, paused=paused)
        differs = difference(connector, wanted) if connector else Difference()
        if connector and (step is Step.NOTHING or (actions and not self.wait)):
            return self._summary(connector, actions, differs)
        if connector and step in AWAITED:
            if step is Step.WAIT_CHANGED and not self.wait:
                return self._summary(connector, actions, differs)
            what = {"connector_arn": connector.arn, "until": AWAITED[step].value}
            self._wait(MskConnectStateTrigger, what, deadline, deadline=deadline, actions=actions)
            return None
        action = _described(step, differs)
        if action in actions:
            raise PermanentError(
                f"Connector {name}: MSK Connect undid or ignored this: {action}. "
                "Read the connector's operations and its worker log; correct the connector file."
            )
        operation = self._take(step, connector, wanted, differs)
        actions.append(action)
        if operation and self.wait:
            what = {"connector_name": name, "operation_arn": operation}
            self._wait(MskConnectOperationTrigger, what, deadline, deadline=deadline, actions=actions)
        return None

    def _take(
        self, step: Step, connector: Connector | None, wanted: Mapping[str, Any], differs: Difference
    ) -> str | None:
        """Begin the step; return the ARN of the operation to follow, where the service makes one."""
        if connector is None:
            self.hook.create(wanted)
            return None
        match step:
            case Step.DELETE:
                self.hook.delete(connector)
            case Step.PAUSE:
                return self.hook.pause(connector)
            case Step.RESUME:
                return self.hook.resume(connector)
            case Step.UPDATE_WORKER_SETTING:
                return self.hook.update(connector, **worker_setting_update(differs, wanted))
            case Step.UPDATE_CONFIGURATION:
                return self.hook.update(connector, connectorConfiguration=wanted["connectorConfiguration"])
        return None

    def _summary(self, connector: Connector, actions: list[str], differs: Difference) -> dict[str, Any]:
        done = "; ".join(actions) or "nothing, it is as its file says"
        self.log.info("Connector %s is %s; done: %s", connector.name, connector.state, done)
        if differs.without_effect:
            self.log.info("Left as it was created, which has no effect: %s", ", ".join(differs.without_effect))
        return {"connector": connector.name, "arn": connector.arn, "state": connector.state, "actions": actions}


AWAITED = {Step.WAIT_CHANGED: Await.LASTING, Step.WAIT_DELETED: Await.DELETED}


def _described(step: Step, differs: Difference) -> str:
    names = {Step.UPDATE_CONFIGURATION: differs.configuration, Step.UPDATE_WORKER_SETTING: differs.worker_setting}
    return f"{step}: {', '.join(names[step])}" if step in names else step.value
