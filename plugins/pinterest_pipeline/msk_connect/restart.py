"""Restart what failed in an MSK Connect connector."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, override

from airflow.sdk import Context

from pinterest_pipeline.common.compat import AirflowSkipException
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.polling import PollEvent
from pinterest_pipeline.msk_connect.client import Connector
from pinterest_pipeline.msk_connect.health import has_failed_tasks
from pinterest_pipeline.msk_connect.operators import MskConnectOperator
from pinterest_pipeline.msk_connect.triggers import MskConnectOperationTrigger


class MskConnectRestartOperator(MskConnectOperator):
    """Restart the failed tasks of a connector, a bounded number of times.

    The bound holds over DAG runs and retries without any state of ours: the service lists what was done to a
    connector, and its restarts within ``window`` are counted. At the bound the task fails for good, which is the alert.
    Where no task has failed it does nothing. Returns ``{"connector", "restarted", "restarts_in_window"}``.

    MSK Connect restarts only what is RUNNING, and the failed tasks alone only from Kafka Connect 3.7 on. The metrics
    follow a restart by a minute or two; put a ``MskConnectHealthSensor`` behind this task to know that it helped.

    :param connector_name: Name of the connector. (templated)
    :param only_failed_tasks: Restart the failed tasks (default), or the connector and all its tasks.
    :param max_restarts: Restarts allowed within ``window``.
    """

    template_fields: Sequence[str] = ("connector_name", *MskConnectOperator.template_fields)

    def __init__(
        self,
        *,
        connector_name: str,
        only_failed_tasks: bool = True,
        max_restarts: int = 3,
        window: timedelta = timedelta(hours=1),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_restarts < 1:
            raise ValueError(f"max_restarts is {max_restarts}, expected at least 1.")
        self.connector_name = connector_name
        self.only_failed_tasks = only_failed_tasks
        self.max_restarts = max_restarts
        self.window = window

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        restarts, operation = self._checking_again(self._begin)
        if operation is None:
            return self._summary(restarts, restarted=False)
        if operation and self.wait:
            deadline = time.time() + self.timeout.total_seconds()
            what = {"connector_name": self.connector_name, "operation_arn": operation}
            self._require_restarted(self._wait(MskConnectOperationTrigger, what, deadline, restarts=restarts))
        return self._summary(restarts, restarted=True)

    def resume(self, _context: Context, event: PollEvent, restarts: int) -> dict[str, Any]:
        """End after a deferral."""
        self._require_restarted(self._state(event))
        return self._summary(restarts, restarted=True)

    def _begin(self) -> tuple[int, str | None]:
        """Restart what failed; return the restarts within the window and the operation, None where nothing failed."""
        connector = self.hook.get(self.connector_name)
        self._require_running(connector)
        earlier = self._restarts(connector)
        if not self._has_failed_tasks():
            return earlier, None
        if earlier >= self.max_restarts:
            raise PermanentError(
                f"Connector {connector.name} was restarted {earlier} times within {self.window} and its tasks fail "
                "still: read its worker log and correct the cause; the next run after that time restarts it."
            )
        operation = self.hook.restart(connector, only_failed_tasks=self.only_failed_tasks)
        return earlier + 1, operation or ""

    def _require_running(self, connector: Connector) -> None:
        match connector.state:
            case "RUNNING":
                return
            case "PAUSED":
                raise AirflowSkipException(f"Connector {connector.name} is PAUSED: there is nothing to restart.")
            case "FAILED":
                raise PermanentError(
                    f"Connector {connector.name} is FAILED ({connector.state_reason or 'no reason given'}), and MSK "
                    "Connect restarts only what is RUNNING: read its worker log, correct the cause, then run the DAG "
                    "pinterest_sink_connector."
                )
        raise TransientError(
            f"Connector {connector.name} is {connector.state}: it can be restarted when it is RUNNING."
        )

    def _require_restarted(self, state: str) -> None:
        if not state.endswith("_COMPLETE"):
            raise TransientError(f"Connector {self.connector_name} is {state} after its restart, expected RUNNING.")

    def _restarts(self, connector: Connector) -> int:
        since = datetime.now(UTC) - self.window
        return sum(operation.type == "RESTART_CONNECTOR" for operation in self.hook.operations(connector, since))

    def _has_failed_tasks(self) -> bool:
        snapshot = self.hook.snapshot(self.connector_name, [], None)
        return snapshot is not None and has_failed_tasks(snapshot)

    def _summary(self, restarts: int, *, restarted: bool) -> dict[str, Any]:
        said = "Restarted the failed tasks of" if restarted else "No task has failed, so nothing to restart of"
        self.log.info("%s connector %s: %s restarts within %s", said, self.connector_name, restarts, self.window)
        return {"connector": self.connector_name, "restarted": restarted, "restarts_in_window": restarts}
