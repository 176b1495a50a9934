"""Emulate users: put posts of the source into the Kinesis streams, at a chosen rate, as the Pinterest API would.

**What.** `emulate_posts` sends posts, each as one record a stream, keyed by its id. Param `mode`: `shuffled` sends
every post once, in an order that `seed` gives, and ends after the last one; `classic` draws with replacement.
`duplicates`, `malformed`, `late` (parts of the records, 0 to 1) and `reorder_window` (posts) degrade what is sent,
on request; with `also_kafka` each row goes to its Kafka topic too, once.

**Reads.** Source database (`pinterest_source`): `pinterest_data`, `geolocation_data`, `user_data`.

**Writes.** Streams `streaming-<prefix>-pin|geo|user`; with `also_kafka` topics `<prefix>.pin|geo|user`; a note of a few
bytes in the lake, `emulation/`, by which a next try goes on.

**Schedule.** None: it replaces users, and runs by hand. It is not for production streams.

**Backfill.** Pointless: it sends now. A run with the `next_position` of an earlier run's result as `start`, and the
same `mode` and `seed`, goes on where that one ended.

**Triage notes.** Sending again is safe: readers keep one row a key, and count the rest as duplicates.
- `emulate_posts` failed: its error names the stream, topic or param, and the DAG that makes a missing stream. Its next
  try continues where it ended; cleared after a success it begins again. Its log has the position every ten seconds.
- The pace falls behind: lower `rate`, or give the streams more shards (1,000 records a second and shard).
"""

from datetime import timedelta

from airflow.sdk import DAG

from pinterest_pipeline.common.tables import stream_prefix
from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, START
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.post_emulator import PARAMS, PLAN_PARAMS
from pinterest_pipeline.dag.settings import MACROS, setting, text_setting
from pinterest_pipeline.emulator.operators import EmulatePostsOperator

STREAM_PREFIX = stream_prefix(setting("topic_prefix"))

with DAG(
    "pinterest_post_emulator",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    **ends_within(timedelta(hours=7)),
    default_args=DEFAULT_ARGS,
    render_template_as_native_obj=True,
    user_defined_macros=MACROS,
    params=PARAMS,
    tags=["pinterest", "stream"],
    doc_md=__doc__,
):
    EmulatePostsOperator(
        task_id="emulate_posts",
        plan={name: f"{{{{ params.{name} }}}}" for name in PLAN_PARAMS},
        sql_folder=str(include_folder(__file__) / "sql"),
        stream_prefix=STREAM_PREFIX,
        topic_prefix="{{ pipeline_variable(var)('topic_prefix') if params.also_kafka else '' }}",
        bucket=text_setting("bucket"),
        execution_timeout=timedelta(hours=6),
    )
