"""Bring posts into the stream's tables that were lost on their way through Kinesis: from silver, for a window of time.

**What.** `check_window` refuses params that are no window. `submit_backfill` starts a Databricks run, and
`backfill_stream_from_silver` follows it: rows whose record came to Kafka from `since` on and before `until` (ISO 8601,
UTC) are written by the stream's own upsert. A row that the stream has from a later arrival stays as it is. The stream
may run meanwhile.

**Reads.** Silver in the lake.

**Writes.** Warehouse (`pinterest_warehouse`) tables `stream.pin`, `stream.geo`, `stream.user`, `stream.post`;
`stream.progress`, as queries `backfill_pin`, `backfill_geo` and `backfill_user`.

**Schedule.** None: trigger it after a loss, with the times that the alarm names, once the batch has run over them.

**Backfill.** This is one. The same window again changes nothing.

**Triage notes.** Its XCom has rows and new keys by table. Compare afterwards: `pinterest_stream_comparison`.
- `check_window` failed: write `since` and `until` as its message says.
- `submit_backfill`, `backfill_stream_from_silver`: as in `pinterest_daily_batch`; they wait for a batch that runs.
  Clear `submit_backfill` to begin a run again.
"""

from datetime import timedelta

from airflow.sdk import DAG

from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.settings import MACROS
from pinterest_pipeline.dag.stream_comparison import BACKFILL_PARAMS, BACKFILL_TASK_KEY, check_window, run_notebook
from pinterest_pipeline.databricks.sensors import DatabricksTaskRunSensor

LIMIT = timedelta(hours=1)

with DAG(
    "pinterest_stream_backfill",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    **ends_within(timedelta(hours=6)),
    default_args=DEFAULT_ARGS,
    render_template_as_native_obj=True,
    user_defined_macros=MACROS,
    params=BACKFILL_PARAMS,
    tags=["pinterest", "stream"],
    doc_md=__doc__,
):
    submit_backfill = run_notebook(
        "submit_backfill",
        include_folder(__file__),
        BACKFILL_TASK_KEY,
        {"since": "{{ as_text(params.since or '') }}", "until": "{{ as_text(params.until or '') }}"},
    )
    backfilled = DatabricksTaskRunSensor(
        task_id=BACKFILL_TASK_KEY,
        run_id=submit_backfill.output,
        task_key=BACKFILL_TASK_KEY,
        pool="pinterest_lakehouse",
        deferrable=True,
        poke_interval=2,
        timeout=LIMIT,
        execution_timeout=LIMIT,
    )
    check_window() >> submit_backfill >> backfilled
