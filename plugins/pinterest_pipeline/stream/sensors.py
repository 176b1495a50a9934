"""Watch over a running stream until its run dies, it stands still before a backlog, or the watch is over."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseSensorOperator, Context

from pinterest_pipeline.common.compat import conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.links import DatabricksRunLink
from pinterest_pipeline.common.polling import PollEvent, Status, require_no_failure, wait_or_defer
from pinterest_pipeline.stream.monitor import Watched
from pinterest_pipeline.stream.policy import LAG_ALARM_SHARE, LAG_WARNING_SECONDS, StreamEndedError, StreamState
from pinterest_pipeline.stream.triggers import EVENT_GRACE_SECONDS, DatabricksStreamTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.databricks.hook import DatabricksRunHook


class DatabricksStreamSensor(BaseSensorOperator):
    """Succeed when the watch is over, or the run ended on request; fail at once when the stream is unhealthy.

    *Dead:* the run has ended; *crash loop:* and two or more before it failed. *Stale:* a query has committed nothing
    for ``stale_after_seconds``, although a record has waited for it in Kinesis for that long; its run is cancelled, so
    that another can begin. A quiet stream is neither.
    Triggering the DAG ends the watch of its running run early, so that requests need not wait for it. So does a query
    that is *behind*, so far that records may expire, or has *lost* some: the DAG's next run raises the alarm.

    The failure is not retried; the DAG's next run launches again. Its alarm names the stream, the notebook's own error,
    the last good batch and the lag of each query, and the run's page. Returns the same as JSON.

    What is unread, the sink says shard by shard (``stream.position``); of a shard that nothing was ever committed of,
    all is. A poll costs one request to Databricks and two short queries; to Kinesis, about two a shard, and only for a
    query that has committed nothing for so long. The task's end leaves the run alone.

    :param launched: What ``DatabricksLaunchStreamOperator`` returned. (templated)
    :param job_name: The stream's name in the alarm. (templated)
    :param streams: Kinesis stream by streaming query, as ``stream.progress`` names them. (templated)
    :param stale_after_seconds: More than a slow batch takes. (templated)
    :param start_within_seconds: Time for a cluster to start and a first batch to end. (templated)
    :param lag_warning_seconds: Age of the oldest uncommitted record from which on a query is behind. (templated)
    :param lag_alarm_share: The same as a share of the stream's retention, from which on there is an alarm. (templated)
    :param timeout: Length of the watch.
    """

    template_fields: Sequence[str] = (
        "launched", "job_name", "streams", "stale_after_seconds", "start_within_seconds", "lag_warning_seconds",
        "lag_alarm_share", "databricks_conn_id",
        "postgres_conn_id", "aws_conn_id", "region_name",
    )  # fmt: skip
    operator_extra_links = (DatabricksRunLink(),)
    ui_color = "#ffd6cc"

    def __init__(
        self,
        *,
        launched: Mapping[str, Any],
        job_name: str,
        streams: Mapping[str, str],
        stale_after_seconds: float = 300,
        start_within_seconds: float = 900,
        lag_warning_seconds: float = LAG_WARNING_SECONDS,
        lag_alarm_share: float = LAG_ALARM_SHARE,
        databricks_conn_id: str = "pinterest_databricks",
        postgres_conn_id: str = "pinterest_warehouse",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.reschedule:
            raise ValueError("mode='reschedule' would begin the watch again at each poke: set deferrable=True.")
        self.launched = launched
        self.job_name = job_name
        self.streams = streams
        self.stale_after_seconds = stale_after_seconds
        self.start_within_seconds = start_within_seconds
        self.lag_warning_seconds = lag_warning_seconds
        self.lag_alarm_share = lag_alarm_share
        self.databricks_conn_id = databricks_conn_id
        self.postgres_conn_id = postgres_conn_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> "DatabricksRunHook":
        from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - requests slows DAG parsing

        return DatabricksRunHook(self.databricks_conn_id, caller=type(self).__name__)

    @property
    def watched(self) -> Watched:
        if not isinstance(self.launched, Mapping) or "run_id" not in self.launched:
            raise PermanentError(
                f"{self.task_id}: launched is {self.launched!r}, expected the output of DatabricksLaunchStreamOperator."
            )
        return Watched(
            run_id=int(self.launched["run_id"]),
            job_name=self.job_name,
            streams=dict(self.streams),
            stale_after_seconds=float(self.stale_after_seconds),
            start_within_seconds=float(self.start_within_seconds),
            databricks_conn_id=self.databricks_conn_id,
            postgres_conn_id=self.postgres_conn_id,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name or None,
            verify=self.verify,
            botocore_config=self.botocore_config,
            lag_warning_seconds=float(self.lag_warning_seconds),
            lag_alarm_share=float(self.lag_alarm_share),
        )

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        watched, watch_until = self.watched, time.time() + self.timeout
        self.log.info("Watching run %s of %s for %.0f s", watched.run_id, watched.job_name, self.timeout)
        trigger = DatabricksStreamTrigger(
            watched=watched.as_json(),
            dag_id=context["ti"].dag_id,
            watch_until=watch_until,
            deadline=watch_until + EVENT_GRACE_SECONDS,
            poll_seconds=self.poke_interval,
        )
        timeout = timedelta(seconds=self.timeout + 2 * EVENT_GRACE_SECONDS)
        return self.resume(context, wait_or_defer(self, trigger, timeout=timeout))

    def resume(self, _context: Context, event: PollEvent) -> dict[str, Any]:
        """End as the trigger's report says."""
        require_no_failure(event)
        if event["status"] == Status.TIMED_OUT:
            raise TransientError(f"The watch over {self.job_name} saw nothing at its end: {event['message']}.")
        return self._finish(event["result"])

    def _finish(self, report: dict[str, Any]) -> dict[str, Any]:
        state = report["state"]
        if state == StreamState.STALE:
            self.hook.cancel(report["databricks_run_id"])
        if state in {StreamState.DEAD, StreamState.CRASH_LOOP, StreamState.STALE}:
            raise StreamEndedError(
                f"Stream {self.job_name} is {state}: {report['reason']}. Last good batch: "
                f"{report['last_good_batch'] or 'none'}; lag in ms: {report['lag_ms']}. See {report['run_page_url']}; "
                "the next run of this DAG launches it again.",
                alarm=report,
            )
        self.log.info("Stream %s, %s: %s", self.job_name, state, report)
        return report
