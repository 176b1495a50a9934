"""Clean landed records again, by the cleaning rules of today, and compute the ten answers again. Nothing is sent.

**What.** After a change to `include/spark/pinterest_spark` has been deployed: `reprocess` cleans records of bronze
again and makes silver and quarantine what a first run by the new rules would have made them; `gold` answers,
`publish_gold` replaces schema `gold`. Params `window_start` and `window_end` (ISO 8601, UTC) name records by the
moment when they reached Kafka, which every record has; none of both means the whole lake. All records of a key
change together, so that a row whose latest record is rejected now falls back to the one before it.

**Reads.** The lake's `delta/bronze`.

**Writes.** The lake's `delta/silver`, `delta/quarantine`, `delta/gold` and `delta/audit`; warehouse
(`pinterest_warehouse`) schemas `gold`, `gold_staging`, `audit.lake_rows`. Schema `stream` is another matter: restart
the stream with a new `checkpoint_uri` to have it read again what Kinesis still holds.

**Schedule.** None: run it after a rule has changed. It waits for a batch that is on Databricks, and a batch for it.

**Backfill.** It is one. Safe to run again: by the same rules nothing changes.

**Triage notes.** Clear the task that failed; a run that was cut short is finished by the next, and the batch refuses
to count the lake until then.
- `choose_records`: a param is no date, or the window is empty.
- `reprocess`: "does not add up" before anything was changed means that the lake was wrong before: run
  `pinterest_daily_batch` first and follow its runbook.
- `publish_gold`: "other versions of answers" means that the Databricks workspace and Airflow have different files in
  `include/sql/answers`: deploy the same to both, then clear `gold`.
- `publish_gold`: "the staged answers have … defects" names the rules that they break, and answers that shrank; readers
  keep the last answers.
"""

from datetime import timedelta

from airflow.sdk import DAG

from pinterest_pipeline.dag import assets, lakehouse
from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.reprocess import PARAMS, choose_records, record_lake
from pinterest_pipeline.dag.settings import MACROS

INCLUDE = include_folder(__file__)
SQL = INCLUDE / "sql"
STAGE_LIMIT = timedelta(hours=3)

with DAG(
    "pinterest_reprocess",
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
    window = choose_records()
    migrate_warehouse = lakehouse.migrate_warehouse(SQL)
    submit_run = lakehouse.run_stages(
        "submit_run", INCLUDE, assets.REPROCESSED, {name: window[name] for name in ("window_start", "window_end")}
    )
    reprocess, gold = lakehouse.follow_stages(submit_run.output, assets.REPROCESSED, stage_limit=STAGE_LIMIT).values()
    publish_gold = lakehouse.publish_gold(SQL)
    recorded = record_lake.override(pool="pinterest_warehouse")(str(SQL), reprocessed=reprocess.output)

    [window, migrate_warehouse] >> submit_run >> reprocess >> gold >> publish_gold
    reprocess >> recorded
