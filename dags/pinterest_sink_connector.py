"""Keep the connector that carries posts from Kafka into the lake as its file says, and doing its work.

**What.** `ensure_topics` creates the declared Kafka topics that are missing, and names what differs in the others;
`ensure_connector` creates or updates the connector and does nothing where it is right; `connector_is_healthy` checks
its state, its workers, its tasks and its lag. Where it is not healthy, `restart_connector` restarts the failed tasks,
at most three times an hour over all runs, and `healthy_after_restart` tells whether that helped. `alert` makes the
run red when anything before it failed, whose own alarm is the only one.

Param `pause`: `true` pauses the connector and ends the run; while it is paused, the other runs fail, which is the
reminder. `false` resumes it. Param `recreate` deletes and creates a connector that is FAILED, or differs from its file
in what cannot be updated; its offsets stay in its consumer group.

**Reads.** `include/kafka/topics.json` and `pinterest-s3-sink.json`, filled from Variable `pinterest_pipeline`; the
Kafka REST proxy; MSK Connect; CloudWatch.

**Writes.** Topics that are missing; the connector in MSK Connect; nothing else.

**Schedule.** Every 10 minutes, one run at a time: posts wait in Kafka for days, so that an unhealthy connector loses
nothing when it is found within 10 minutes. A run checks the present, so missed runs are not repeated.

**Backfill.** Pointless: every run does the same.

**Triage notes.** Skipped means good news: `restart_connector` and what follows are skipped while all is well (then
`connector_is_healthy` is green), and `connector_is_healthy` shows as skipped when it gave up and handed over.
- `ensure_topics` failed: it names each topic and setting that differs, and what to do; the other tasks go on. Skipped
  where `check_topics` of the Variable is false.
- `ensure_connector` failed: its error names the setting that is wrong or that MSK Connect cannot change.
- `restart_connector` failed: the tasks failed again after three restarts: read the worker log, correct the cause.
- `healthy_after_restart` failed: its last log line says which of state, workers, tasks and lag is wrong and why.
- `alert`: the failed task before it has raised the alarm, a log line `pipeline_task_failed`.
"""

from datetime import timedelta

from airflow.sdk import DAG
from airflow.timetables.trigger import CronTriggerTimetable

from pinterest_pipeline.dag import assets
from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, NO_BACKFILL, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.settings import MACROS, text_setting
from pinterest_pipeline.dag.sink_connector import PARAMS, alert
from pinterest_pipeline.kafka_rest.ensure_topics import KafkaRestEnsureTopicsOperator
from pinterest_pipeline.msk_connect.operators import MskConnectEnsureConnectorOperator
from pinterest_pipeline.msk_connect.restart import MskConnectRestartOperator
from pinterest_pipeline.msk_connect.sensors import MskConnectHealthSensor

KAFKA = include_folder(__file__) / "kafka"
CONNECTOR = text_setting("connector.name")
CLUSTER = text_setting("msk_cluster_name", "")
CONNECTOR_VALUES = """{%- set setting = pipeline_variable(var) -%}
{%- set topic = setting('topic_prefix') -%}
{{ dict(
    setting('connector'),
    bucket=setting('bucket'),
    region=setting('region', 'us-east-1'),
    topics=topic_names(topic) | join(','),
    topics_dir=topics_dir(setting('generation', '')),
    dead_letter_topic=topic ~ '.dead-letters',
) }}"""
TOPICS_VALUES = """{%- set setting = pipeline_variable(var) -%}
{{ dict(prefix=setting('topic_prefix'), replication_factor=setting('kafka_replication_factor', 3)) }}"""
WATCH = {"deferrable": True, "poke_interval": 15, "timeout": 4 * 60, "execution_timeout": timedelta(minutes=6)}

with DAG(
    "pinterest_sink_connector",
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    start_date=START,
    catchup=False,
    **NO_BACKFILL,
    max_active_runs=1,
    **ends_within(timedelta(hours=1)),
    default_args=DEFAULT_ARGS,
    render_template_as_native_obj=True,
    user_defined_macros=MACROS,
    params=PARAMS,
    tags=["pinterest", "connector"],
    doc_md=__doc__,
):
    ensure_topics = KafkaRestEnsureTopicsOperator(
        task_id="ensure_topics",
        topics_file=KAFKA / "topics.json",
        topics_values=TOPICS_VALUES,
        check="{{ pipeline_variable(var)('check_topics', true) }}",
    )
    ensure_connector = MskConnectEnsureConnectorOperator(
        task_id="ensure_connector",
        connector_file=KAFKA / "pinterest-s3-sink.json",
        connector_values=CONNECTOR_VALUES,
        recreate="{{ params.recreate }}",
        paused="{{ params.pause }}",
        trigger_rule="all_done",
        timeout=timedelta(minutes=30),
        execution_timeout=timedelta(minutes=35),
        deferrable=True,
        outlets=[assets.CONNECTOR],
    )
    connector_is_healthy = MskConnectHealthSensor(
        task_id="connector_is_healthy", connector_name=CONNECTOR, cluster_name=CLUSTER, soft_fail=True, **WATCH
    )
    restart_connector = MskConnectRestartOperator(
        task_id="restart_connector",
        connector_name=CONNECTOR,
        trigger_rule="all_skipped",
        timeout=timedelta(minutes=5),
        execution_timeout=timedelta(minutes=7),
        deferrable=True,
    )
    healthy_after_restart = MskConnectHealthSensor(
        task_id="healthy_after_restart", connector_name=CONNECTOR, cluster_name=CLUSTER, retries=1, **WATCH
    )

    ensure_topics >> ensure_connector >> connector_is_healthy >> restart_connector >> healthy_after_restart
    checks = [ensure_topics, ensure_connector, connector_is_healthy, restart_connector, healthy_after_restart]
    checks >> alert(CONNECTOR)
