"""Prove that stream and batch agree: the tables of schema `stream` hold what silver holds for the same posts.

**What.** `submit_comparison` starts a Databricks run that compares each column of each row;
`compare_stream_with_silver` follows it; `agree` fails where a value differs, and names the columns and some posts.
Param `since` (ISO 8601, UTC) leaves out rows whose record arrived at Kinesis earlier: an old row may rightly be older
than the batch's.

**Reads.** Silver in the lake; warehouse (`pinterest_warehouse`) tables `stream.pin`, `stream.geo`, `stream.user`.

**Writes.** Nothing.

**Schedule.** None: run it after a batch, when a change to the cleaning has been deployed, or when in doubt.

**Backfill.** Pointless: it compares what there is now.

**Triage notes.** A post that is in one place only is no difference; `agree` warns of those that silver has not got.
- `agree` failed: was the post changed between batch and stream? Then run the batch, or give `since`. Else cluster and
  stream run different versions of `pinterest_spark`: restart the stream (`pinterest_stream_supervisor`, `restart`).
- `submit_comparison`, `compare_stream_with_silver`: as in `pinterest_daily_batch`; they wait for a batch that runs.
"""

from datetime import timedelta

from airflow.sdk import DAG

from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.settings import MACROS
from pinterest_pipeline.dag.stream_comparison import PARAMS, TASK_KEY, agree, run_notebook
from pinterest_pipeline.databricks.sensors import DatabricksTaskRunSensor

LIMIT = timedelta(hours=1)

with DAG(
    "pinterest_stream_comparison",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    **ends_within(timedelta(hours=6)),
    default_args=DEFAULT_ARGS,
    render_template_as_native_obj=True,
    user_defined_macros=MACROS,
    params=PARAMS,
    tags=["pinterest", "stream"],
    doc_md=__doc__,
):
    submit_comparison = run_notebook(
        "submit_comparison", include_folder(__file__), TASK_KEY, {"since": "{{ as_text(params.since or '') }}"}
    )
    compared = DatabricksTaskRunSensor(
        task_id=TASK_KEY,
        run_id=submit_comparison.output,
        task_key=TASK_KEY,
        pool="pinterest_lakehouse",
        deferrable=True,
        poke_interval=2,
        timeout=LIMIT,
        execution_timeout=LIMIT,
    )
    agree(compared.output)
