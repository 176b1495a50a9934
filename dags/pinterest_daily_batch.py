"""Send a day's posts through Kafka into the lake, answer the ten questions, publish them, prove that no row was lost.

**What.** `ingest` sends the posts to Kafka; `posts_landed` waits until MSK Connect has put them into the lake;
`lakehouse` is one run of the Databricks job (`include/databricks/lakehouse_job.json`); `publish` makes schema `gold`
equal to the answers; `reconcile_rows` reconciles the row counts of all stages.

**Reads.** Source database (`pinterest_source`): `pinterest_data`, `geolocation_data`, `user_data`.

**Writes.** Topics `<prefix>.pin|geo|user`; the lake's `topics/`, `delta/`, `runs/` and, for rows that Kafka
refused, `dead-letters/`; warehouse (`pinterest_warehouse`) schemas `gold`, `gold_staging`, `audit`.

**Schedule.** Daily at 02:00 UTC. A run is named by its data interval and handles the posts whose `timestamp` lies in
it. Params `window_start` and `window_end` give a run a window of its own: the first load of all history is one such
run. Only such a run takes the posts that have no timestamp and so lie in no interval.

**Backfill.** Safe for any days, again and again: keys make re-sent posts harmless, every write replaces itself.
`airflow backfill create --dag-id pinterest_daily_batch --from-date 2018-03-01 --to-date 2018-03-06
--max-active-runs 1`; add `--reprocess-behavior completed` for days that ran before.

**Triage notes.** Every error names its remedy. Clear the task that failed; nothing else must be undone.
- `connector_is_healthy`, `posts_landed`: check DAG `pinterest_sink_connector` first; the posts wait in Kafka.
- `offsets_grow`: a topic begins below what the lake has of it: follow the runbook before anything is sent.
- `send_posts`: dead letters, each with its reason beside it, are a warning of `reconcile_rows` up to
  `max_dead_letter_share` of the Variable (1 %), a failure above it, or for any with param `fail_on_dead_letters`. Fix
  the source, then run the day again.
- `bronze`, `silver`, `gold`: clear the stage, which repairs the Databricks run from there, also if it had succeeded.
- `submit_batch_run`: cleared, it starts another run, unless its run is active.
- `publish_gold`: "other versions of answers" means that the Databricks workspace and Airflow have different files in
  `include/sql/answers`: deploy the same to both, then clear `gold`.
- `publish_gold`: "the staged answers have … defects" names the rules that they break (bounds and ties of
  `include/sql/answers`, files of `include/sql/checks`) and answers that shrank; readers keep the last answers.
- `check_quality`: too many of the run's records were rejected, or lost a value, or a table's newest post is long
  before the interval's end; nothing is published.
- `reconcile_rows`: names the table whose counts do not match, and where its rows are; see also `audit.run_rows`.
  "offsets … are in Kafka and not in bronze": a gap, also of records that other runs or producers sent.
- A day without posts skips from `posts_landed` to `publish`, is still reconciled, and succeeds.
"""

from datetime import timedelta

from airflow.sdk import DAG, TaskGroup
from airflow.timetables.interval import CronDataIntervalTimetable

from pinterest_pipeline.common.tables import KEYS, topic_name
from pinterest_pipeline.dag import assets, lakehouse
from pinterest_pipeline.dag.daily_batch import (
    PARAMS,
    any_posts,
    check_offsets,
    choose_window,
    reconcile_rows,
)
from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.quality import check_quality
from pinterest_pipeline.dag.settings import MACROS, MAX_DEAD_LETTER_SHARE, TOPICS_DIR, setting, text_setting
from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator
from pinterest_pipeline.kafka_rest.sensors import KafkaRestTopicSensor
from pinterest_pipeline.lake.sensors import KafkaOffsetsLandedSensor
from pinterest_pipeline.msk_connect.sensors import MskConnectHealthSensor
from pinterest_pipeline.warehouse.operators import PostgresQueryOperator

INCLUDE = include_folder(__file__)
SQL = INCLUDE / "sql"
TOPICS = {table: topic_name(setting("topic_prefix"), table) for table in KEYS}
STAGE_LIMIT = timedelta(hours=1)
WAITING = {"deferrable": True, "poke_interval": 5, "timeout": 30 * 60, "execution_timeout": timedelta(minutes=35)}

with DAG(
    "pinterest_daily_batch",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    **ends_within(timedelta(hours=6)),
    default_args=DEFAULT_ARGS,
    template_searchpath=str(SQL),
    render_template_as_native_obj=True,
    user_defined_macros=MACROS,
    params=PARAMS,
    tags=["pinterest", "batch"],
    doc_md=__doc__,
) as dag:
    window = choose_window()
    migrate_warehouse = lakehouse.migrate_warehouse(SQL)
    connector_is_healthy = MskConnectHealthSensor(
        task_id="connector_is_healthy",
        connector_name=text_setting("connector.name"),
        cluster_name=text_setting("msk_cluster_name", ""),
        **WAITING,
    )
    with TaskGroup("ingest"):
        topics_exist = KafkaRestTopicSensor(task_id="topics_exist", topics=list(TOPICS.values()), **WAITING)
        offsets_grow = check_offsets.override(task_id="offsets_grow")(
            list(TOPICS.values()), bucket=text_setting("bucket"), topics_dir=TOPICS_DIR
        )
        count_source_rows = PostgresQueryOperator(
            task_id="count_source_rows", conn_id="pinterest_source", sql="source/counts.sql", parameters=window
        )
        send_posts = KafkaRestProduceOperator.partial(
            task_id="send_posts",
            parameters=window,
            dead_letter_bucket=text_setting("bucket"),
            pool="pinterest_kafka_rest",
            map_index_template="{{ task.topic.split('.')[-1] }}",
            execution_timeout=timedelta(hours=1),
        ).expand_kwargs(
            [{"sql": f"source/{table}.sql", "topic": TOPICS[table], "key_column": key} for table, key in KEYS.items()]
        )
    acknowledged = any_posts(send_posts.output, bucket=text_setting("bucket"), lake_uri=text_setting("lake_uri"))
    posts_landed = KafkaOffsetsLandedSensor(
        task_id="posts_landed",
        bucket=text_setting("bucket"),
        produced=send_posts.output,
        topics_dir=TOPICS_DIR,
        **WAITING,
    )
    with TaskGroup("lakehouse"):
        submit_batch_run = lakehouse.run_stages(
            "submit_batch_run", INCLUDE, assets.LAKE, {"acknowledged_uri": acknowledged["acknowledged_uri"]}
        )
        stages = lakehouse.follow_stages(submit_batch_run.output, assets.LAKE, stage_limit=STAGE_LIMIT)
    with TaskGroup("publish"):
        quality = check_quality(
            stages["silver"].output,
            gates=setting("gates", ""),
            source_counts=count_source_rows.output,
            window=window,
        )
        publish_gold = lakehouse.publish_gold(SQL)
    reconciled = reconcile_rows.override(trigger_rule="none_failed", pool="pinterest_warehouse")(
        str(SQL),
        source_counts=count_source_rows.output,
        produced=send_posts.output,
        bronze=stages["bronze"].output,
        silver=stages["silver"].output,
        ends=offsets_grow,
        bucket=text_setting("bucket"),
        topics_dir=TOPICS_DIR,
        max_dead_letter_share=setting("max_dead_letter_share", MAX_DEAD_LETTER_SHARE),
    )

    window >> topics_exist >> offsets_grow >> [count_source_rows, send_posts]
    [acknowledged, connector_is_healthy] >> posts_landed
    [posts_landed, migrate_warehouse] >> submit_batch_run >> stages["bronze"] >> stages["silver"] >> stages["gold"]
    [stages["gold"], quality] >> publish_gold
    migrate_warehouse >> reconciled
