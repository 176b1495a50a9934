"""Tell whether everything that the pipeline needs is there: one table, each fault with its remedy.

**What.** `check_environment` checks the Variable, every connection and what it must be allowed to read, the declared
topics, the lake, the connector with its plugin, the streams, the notebooks, the secret of the warehouse's URL and the
migrations. The tasks in `pools` each take a slot of one pool, which shows that the pool is there. The table is in the
log of `check_environment`; it is red where one line is a fault, and names all of them.

**Reads.** All of the above; `include/kafka/topics.json`, `include/kinesis/streams.json`, `include/sql/migrations`.

**Writes.** Nothing. Rights to change something are not proved by it: that would need a change.

**Schedule.** None: run it after a deployment, after a change of rights, and when something is unclear.

**Backfill.** Pointless: it checks the present.

**Triage notes.** Before the first run, topics, connector and streams are faults until the DAGs that make them have run:
unpause `pinterest_sink_connector` and `pinterest_kinesis_streams`, then run this again.
- `check_environment` failed: its error is the list of faults with their remedies, the table above it has all checks.
- a task of `pools` does not begin: the pool does not exist, or other tasks hold all its slots.
"""

from datetime import timedelta

from airflow.sdk import DAG, TaskGroup

from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.preflight import check_environment, takes_a_slot
from pinterest_pipeline.dag.settings import MACROS

POOLS = ("pinterest_kafka_rest", "pinterest_lakehouse", "pinterest_warehouse")
LIMIT = timedelta(minutes=5)

with DAG(
    "pinterest_preflight",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    **ends_within(2 * LIMIT),
    default_args={**DEFAULT_ARGS, "execution_timeout": LIMIT},
    user_defined_macros=MACROS,
    tags=["pinterest"],
    doc_md=__doc__,
):
    with TaskGroup("pools"):
        for pool in POOLS:
            takes_a_slot.override(task_id=pool, pool=pool)()
    check_environment(str(include_folder(__file__)), {pool: f"pools.{pool}" for pool in POOLS})
