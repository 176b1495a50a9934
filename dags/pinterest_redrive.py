"""Send dead letters again, and validate quarantined records again, after the reason has gone; publish the answers.

**What.** `find_dead_letters` lists what Kafka or the pipeline refused, with the reasons. `redrive` sends it again: the
row of the source as it is now, or the stored value where the source has none. What is delivered is moved to
`dead-letters-redriven/`; what is refused again is a dead letter with its new reason. One Databricks run brings the
records into the lake and validates quarantined records again by the rules of today; `publish` replaces schema `gold`.

Params: `which` (`dead_letters`, `quarantine` or `all`), `tables`, `since` (UTC; dead letters written, and records
landed, then or later), `dry_run` (only count: the logs of `find_dead_letters` and `log_preview` have the numbers).

**Reads.** The lake's `dead-letters/` and `delta/bronze`; source database (`pinterest_source`).

**Writes.** Topics `<prefix>.pin|geo|user`; the lake's `dead-letters/`, `dead-letters-redriven/`, `topics/`, `delta/`
and `runs/`; warehouse (`pinterest_warehouse`) schemas `gold`, `gold_staging`, `audit`.

**Schedule.** None: run it once the reason has gone. It waits for a batch that is on Databricks, and a batch for it.

**Backfill.** Not needed: one run takes the dead letters of all days. Safe to run again: each is resolved once.

**Triage notes.** Clear the task that failed; dead letters stay where they are until all of a table are sent.
- `redrive`: "none of … records was acknowledged" means that the reason has not gone; nothing was moved.
- `reconcile_redriven`: dead letters that were refused again are counted as in `pinterest_daily_batch`.
- A day whose `reconcile_rows` failed for its dead letters: clear that task after this run.
"""

from datetime import timedelta

from airflow.sdk import DAG, TaskGroup

from pinterest_pipeline.common.tables import KEYS, topic_name
from pinterest_pipeline.dag import assets, lakehouse
from pinterest_pipeline.dag.daily_batch import check_offsets
from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.quality import check_quality
from pinterest_pipeline.dag.redrive import (
    PARAMS,
    acknowledged_offsets,
    choose_path,
    choose_records,
    find_dead_letters,
    log_preview,
    reconcile_redriven,
    record_redriven,
)
from pinterest_pipeline.dag.settings import MACROS, MAX_DEAD_LETTER_SHARE, TOPICS_DIR, setting, text_setting
from pinterest_pipeline.kafka_rest.redrive import KafkaRestRedriveOperator
from pinterest_pipeline.kafka_rest.sensors import KafkaRestTopicSensor
from pinterest_pipeline.lake.sensors import KafkaOffsetsLandedSensor

INCLUDE = include_folder(__file__)
SQL = INCLUDE / "sql"
TOPICS = {table: topic_name(setting("topic_prefix"), table) for table in KEYS}
DEAD_LETTERS = "dead-letters"
# By templates, not by outputs: their tasks succeed whatever is chosen, which must not start a run
REQUEST = {
    name: f"{{{{ ti.xcom_pull(task_ids='choose_records', key='{name}') }}}}"
    for name in ("window_start", "window_end", "tables")
}
ENDS = "{{ ti.xcom_pull(task_ids='ingest.offsets_grow') or {} }}"
ACKNOWLEDGED = "{{ ti.xcom_pull(task_ids='acknowledged_offsets') or '' }}"
PRODUCED = "{{ ti.xcom_pull(task_ids='record_redriven') or [] }}"
STAGE_LIMIT = timedelta(hours=3)
WAITING = {"deferrable": True, "poke_interval": 5, "timeout": 30 * 60, "execution_timeout": timedelta(minutes=35)}

with DAG(
    "pinterest_redrive",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    **ends_within(timedelta(hours=12)),
    default_args=DEFAULT_ARGS,
    template_searchpath=str(SQL),
    render_template_as_native_obj=True,
    user_defined_macros=MACROS,
    params=PARAMS,
    tags=["pinterest", "batch"],
    doc_md=__doc__,
):
    records = choose_records()
    found = find_dead_letters(TOPICS, bucket=text_setting("bucket"), prefix=DEAD_LETTERS)
    path = choose_path(found)
    with TaskGroup("preview"):
        submit_preview = lakehouse.run_stages("submit_preview", INCLUDE, ("reprocess",), {**REQUEST, "dry_run": "true"})
        (preview,) = lakehouse.follow_stages(submit_preview.output, {"reprocess": []}, stage_limit=STAGE_LIMIT).values()
        log_preview(preview.output)
    migrate_warehouse = lakehouse.migrate_warehouse(SQL)
    with TaskGroup("ingest"):
        topics_exist = KafkaRestTopicSensor(task_id="topics_exist", topics=list(TOPICS.values()), **WAITING)
        offsets_grow = check_offsets.override(task_id="offsets_grow")(
            list(TOPICS.values()), bucket=text_setting("bucket"), topics_dir=TOPICS_DIR
        )
        redrive = KafkaRestRedriveOperator.partial(
            task_id="redrive",
            dead_letter_bucket=text_setting("bucket"),
            dead_letter_prefix=DEAD_LETTERS,
            pool="pinterest_kafka_rest",
            map_index_template="{{ task.topic.split('.')[-1] }}",
            execution_timeout=timedelta(hours=1),
        ).expand_kwargs(
            [
                {
                    "sql": f"emulation/{table}.sql",
                    "topic": TOPICS[table],
                    "key_column": key,
                    "objects": f"{{{{ ti.xcom_pull(task_ids='find_dead_letters')['objects']['{table}'] }}}}",
                }
                for table, key in KEYS.items()
            ]
        )
    acknowledged = acknowledged_offsets(
        redrive.output, bucket=text_setting("bucket"), lake_uri=text_setting("lake_uri")
    )
    posts_landed = KafkaOffsetsLandedSensor(
        task_id="posts_landed",
        bucket=text_setting("bucket"),
        produced=redrive.output,
        topics_dir=TOPICS_DIR,
        **WAITING,
    )
    recorded = record_redriven.override(pool="pinterest_warehouse", trigger_rule="none_skipped")(
        str(SQL), produced=redrive.output
    )
    with TaskGroup("lakehouse"):
        submit_run = lakehouse.run_stages(
            "submit_run",
            INCLUDE,
            assets.REDRIVEN,
            {**REQUEST, "acknowledged_uri": ACKNOWLEDGED},
            trigger_rule="none_failed_min_one_success",
        )
        stages = lakehouse.follow_stages(submit_run.output, assets.REDRIVEN, stage_limit=STAGE_LIMIT)
    with TaskGroup("publish"):
        quality = check_quality(stages["silver"].output, gates=setting("gates", ""))
        publish_gold = lakehouse.publish_gold(SQL)
    reconciled = reconcile_redriven.override(pool="pinterest_warehouse")(
        str(SQL),
        found=found,
        produced=PRODUCED,
        bronze=stages["bronze"].output,
        silver=stages["silver"].output,
        ends=ENDS,
        bucket=text_setting("bucket"),
        topics_dir=TOPICS_DIR,
        reprocessed=stages["reprocess"].output,
        max_dead_letter_share=setting("max_dead_letter_share", MAX_DEAD_LETTER_SHARE),
    )

    [records, found] >> path >> [submit_preview, migrate_warehouse, topics_exist]
    submit_preview >> preview
    topics_exist >> offsets_grow >> redrive
    [acknowledged, posts_landed, recorded, migrate_warehouse] >> submit_run
    submit_run >> stages["bronze"] >> stages["silver"] >> stages["reprocess"] >> stages["gold"]
    [stages["gold"], quality] >> publish_gold
    migrate_warehouse >> recorded
