"""Keep the stream of posts, Kinesis to Spark to PostgreSQL, at exactly one active run, and alert when it is unhealthy.

**What.** `streams_exist` waits for the Kinesis streams. `launch_stream` makes the Databricks job what its file says and
attaches to its active run, or launches one.
`watch_stream` follows that run until it dies, commits nothing although records wait, or the watch (30 minutes) is over.
The next run of this DAG begins at once, at most one a minute: it attaches again, or launches again. `check_backlog`
measures how far each query is behind, also while the stream is paused or dead, and says how long until records expire.
Param `action`: `watch` (default) is all that;
`pause` starts no more runs, until `resume`; the active one continues, not monitored.
`stop` ends the active run between two micro-batches and pauses. `restart` ends it so and launches, which also lifts a
pause and brings changed settings into effect. A triggered run need not wait: the watch ends for it.
Param `accept_data_loss`, like `["pin"]`: the next launch of these tables goes on without the records that Kinesis has
dropped unread.

**Reads.** `include/databricks/stream_posts_job.json`, filled from Variable `pinterest_pipeline`; Databricks; Kinesis;
warehouse (`pinterest_warehouse`) tables `stream.progress`, `stream.position`, `stream.control`, `stream.data_loss`.

**Writes.** The job in Databricks; the tables of schema `stream` (by migrations; never filled); `stream.control`,
`stream.data_loss` (what is accepted), `stream.lag`.

**Schedule.** Every minute (UTC), one run at a time: the minute bounds how often a stream that dies at once is launched.
A watch that lasted longer is followed by the next run within seconds. On top of it failed runs in a row delay a launch
by 1, 2, 4 … 300 s. A run checks the present, so missed runs are not repeated.

**Backfill.** Pointless: every run does the same.

**Triage notes.** The alarm (log line `pipeline_task_failed`) of `watch_stream` has the stream, the last good batch, the
lag and the run's page.
- `watch_stream` failed, *dead*: open the run's page and read why; the next run of this DAG has launched it by now. Over
  and over: `{"pause": true}`, fix the notebook or its Variable, `{"restart": true}`.
- `watch_stream` failed, *stale*: the run was cancelled and replaced. If that recurs, raise
  `stream.stale_after_seconds` above the time of a slow batch, or check PostgreSQL for a lock.
- `check_backlog` raises alarms without failing. *behind*: records expire unless the query catches up. *records lost*: a
  query waits for `{"accept_data_loss": ["pin"]}`, the others go on.
- `streams_exist` failed: run the DAG `pinterest_kinesis_streams`.
- `launch_stream` skipped: paused; its log says by whom and since when. Failed: its error names the setting or the jobs.
- `stop_stream` skipped: no request. Failed: the cancelled run does not end; open its page.
"""

from datetime import timedelta

from airflow.sdk import DAG
from airflow.timetables.trigger import CronTriggerTimetable

from pinterest_pipeline.common.tables import TABLES, stream_prefix
from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, NO_BACKFILL, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.settings import MACROS, setting, text_setting
from pinterest_pipeline.dag.stream_supervisor import PARAMS, check_backlog, take_request
from pinterest_pipeline.kinesis.sensors import KinesisStreamSensor
from pinterest_pipeline.stream import policy
from pinterest_pipeline.stream.operators import DatabricksLaunchStreamOperator, DatabricksStopStreamOperator
from pinterest_pipeline.stream.sensors import DatabricksStreamSensor
from pinterest_pipeline.warehouse.operators import PostgresMigrateOperator

INCLUDE = include_folder(__file__)
STREAM_PREFIX = stream_prefix(setting("topic_prefix"))
STREAMS = {f"stream_{table}": f"{STREAM_PREFIX}-{table}" for table in TABLES}
JOB_VALUES = """{%- set setting = pipeline_variable(var) -%}
{{ dict(
    job_name=setting('stream.job_name'),
    cluster=setting('stream.cluster', none) or setting('databricks.cluster'),
    notebook_root=setting('databricks.notebook_root'),
    secret_scope=setting('databricks.warehouse_url_scope'),
    secret_key=setting('databricks.warehouse_url_key'),
    stream_prefix=stream_prefix(setting('topic_prefix')),
    region=setting('region', 'us-east-1'),
    endpoint_url=setting('stream.endpoint_url', ''),
    checkpoint_uri=setting('stream.checkpoint_uri'),
    trigger_seconds=setting('stream.trigger_seconds', '0.5'),
    max_records_per_batch=setting('stream.max_records_per_batch', '10000'),
    lake_uri=setting('stream.lake_uri', ''),
    source_options=setting('stream.source_options', {}),
    progress_days=setting('stream.progress_days', '7'),
    quarantine_days=setting('stream.quarantine_days', '0'),
    position_days=setting('stream.position_days', '400'),
) }}"""
LAG_WARNING_SECONDS = setting("stream.lag_warning_seconds", policy.LAG_WARNING_SECONDS)
LAG_ALARM_SHARE = setting("stream.lag_alarm_share", policy.LAG_ALARM_SHARE)
WATCH = timedelta(minutes=30)
PROMPT = {"retry_delay": timedelta(seconds=5)}  # a dead stream is to be back within a minute

with DAG(
    "pinterest_stream_supervisor",
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    start_date=START,
    catchup=False,
    **NO_BACKFILL,
    max_active_runs=1,
    **ends_within(timedelta(hours=2)),
    default_args=DEFAULT_ARGS,
    render_template_as_native_obj=True,
    user_defined_macros=MACROS,
    params=PARAMS,
    tags=["pinterest", "stream"],
    doc_md=__doc__,
):
    migrate_warehouse = PostgresMigrateOperator(
        task_id="migrate_warehouse", conn_id="pinterest_warehouse", folder=INCLUDE / "sql" / "migrations", **PROMPT
    )
    streams_exist = KinesisStreamSensor.partial(
        task_id="streams_exist",
        deferrable=True,
        poke_interval=5,
        timeout=10 * 60,
        map_index_template="{{ task.stream_name }}",
        **PROMPT,
    ).expand(stream_name=list(STREAMS.values()))
    requested = take_request.override(**PROMPT)()
    stop_stream = DatabricksStopStreamOperator(
        task_id="stop_stream",
        job_name=text_setting("stream.job_name"),
        request=requested["request"],
        deferrable=True,
        **PROMPT,
    )
    launch_stream = DatabricksLaunchStreamOperator(
        task_id="launch_stream",
        job_file=INCLUDE / "databricks" / "stream_posts_job.json",
        job_values=JOB_VALUES,
        may_be_empty=("endpoint_url", "lake_uri"),
        unwanted=requested["unwanted"],
        trigger_rule="none_failed",
        deferrable=True,
        **PROMPT,
    )
    watch_stream = DatabricksStreamSensor(
        task_id="watch_stream",
        launched=launch_stream.output,
        job_name=text_setting("stream.job_name"),
        streams=STREAMS,
        stale_after_seconds=setting("stream.stale_after_seconds"),
        start_within_seconds=setting("stream.start_within_seconds"),
        lag_warning_seconds=LAG_WARNING_SECONDS,
        lag_alarm_share=LAG_ALARM_SHARE,
        poke_interval=5,
        timeout=WATCH,
        execution_timeout=WATCH + timedelta(minutes=10),
        deferrable=True,
        **PROMPT,
    )

    checked = check_backlog.override(**PROMPT)(STREAMS, LAG_WARNING_SECONDS, LAG_ALARM_SHARE)

    migrate_warehouse >> requested >> stop_stream >> launch_stream >> watch_stream
    requested >> checked
    streams_exist >> launch_stream
