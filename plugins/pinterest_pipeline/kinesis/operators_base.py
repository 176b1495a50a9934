"""The loop that the operators of streams share: look, take one step, check again."""

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseOperator

from pinterest_pipeline.common.compat import conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.links import KinesisStreamLink
from pinterest_pipeline.common.poll import Status
from pinterest_pipeline.kinesis.model import StreamDescription
from pinterest_pipeline.kinesis.plan import Await, Change, require_stream_name
from pinterest_pipeline.kinesis.triggers import KinesisStreamTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook

SHORT_WAIT_SECONDS = 1  # many a change is made by then, and a deferral costs about three
SETTLING_SECONDS = 60  # until then a change that does not show yet may still come


class KinesisStreamOperator(BaseOperator):
    """Base of the operators of streams; one step at a time until nothing is left to do.

    So a task that was killed between two steps goes on where it was, and one that runs again does nothing. Waits for
    the service between two changes, on the worker or deferred.

    :param stream_name: Name of the stream. (templated)
    :param timeout: For all changes together; a change of the shard count takes the service minutes.
    :param poll_seconds: Seconds between two polls while waiting.
    """

    template_fields: Sequence[str] = ("stream_name", "aws_conn_id", "region_name")
    operator_extra_links = (KinesisStreamLink(),)
    ui_color = "#d5e8f5"

    def __init__(
        self,
        *,
        stream_name: str,
        timeout: timedelta = timedelta(minutes=30),
        poll_seconds: float = 5,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if poll_seconds <= 0:
            raise ValueError(f"poll_seconds is {poll_seconds}, expected more than 0.")
        self.stream_name = stream_name
        self.timeout = timeout
        self.poll_seconds = poll_seconds
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> "KinesisStreamHook":
        from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return KinesisStreamHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

    @abstractmethod
    def next_step(self, stream: StreamDescription | None) -> Change | Await | None:
        """Choose the next step; None when nothing is left to do."""

    @abstractmethod
    def finish(self, context: Any, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        """Do what is to be done once nothing is left to change; return the task's XCom."""

    @override
    def execute(self, context: Any) -> dict[str, Any]:
        require_stream_name(self.stream_name)
        return self._converge(context, time.time() + self.timeout.total_seconds(), [], 0.0)

    def resume(
        self, context: Any, event: Mapping[str, Any], deadline: float, actions: list[str], changed_at: float
    ) -> dict[str, Any]:
        """Go on after a deferral."""
        if event["status"] == Status.FAILED:
            raise PermanentError(event["message"])
        self._require_time_left(deadline)
        return self._converge(context, deadline, actions, changed_at)

    def _converge(self, context: Any, deadline: float, actions: list[str], changed_at: float) -> dict[str, Any]:
        is_first_check = True
        while True:
            stream = self.hook.find(self.stream_name)
            step = self.next_step(stream)
            if step is None:
                done = "; ".join(actions) or "nothing, it is as it is to be"
                self.log.info("Stream %s; done: %s", self.stream_name, done)
                return self.finish(context, stream, actions)
            if isinstance(step, Change) and step.says in actions:
                if time.time() > changed_at + SETTLING_SECONDS:
                    raise PermanentError(
                        f"Stream {self.stream_name}: Kinesis undid or ignored this: {step.says}. Does something else "
                        "manage this stream? Stop one of the two."
                    )
                step = Await.ACTIVE
            if isinstance(step, Await):
                if is_first_check:
                    time.sleep(min(SHORT_WAIT_SECONDS, self.poll_seconds))
                else:
                    self._wait(step, deadline, actions, changed_at)
                is_first_check = False
                continue
            self.hook.change(step.operation, self.stream_name, **step.arguments)
            actions.append(step.says)
            changed_at, is_first_check = time.time(), True

    def _wait(self, until: Await, deadline: float, actions: list[str], changed_at: float) -> None:
        """Wait a little here, or defer until it is so and come back in :meth:`resume`."""
        self._require_time_left(deadline)
        if self.deferrable:
            self.defer(
                trigger=KinesisStreamTrigger(
                    stream_name=self.stream_name,
                    until=until.value,
                    deadline=deadline,
                    poll_seconds=self.poll_seconds,
                    aws_conn_id=self.aws_conn_id,
                    region_name=self.region_name,
                    verify=self.verify,
                    botocore_config=self.botocore_config,
                ),
                method_name="resume",
                kwargs={"deadline": deadline, "actions": actions, "changed_at": changed_at},
            )
        time.sleep(self.poll_seconds)

    def _require_time_left(self, deadline: float) -> None:
        if time.time() >= deadline:
            raise TransientError(
                f"Stream {self.stream_name}: Kinesis did not finish within {self.timeout}; another try goes on waiting."
            )
