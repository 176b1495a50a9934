"""Keep the Kinesis streams as they are declared; scale or delete them on request.

**What.** `ensure_stream` creates each declared stream, or changes mode, retention, encryption and tags where they
differ. What takes something away (shorter retention while records are unread, another mode, another key or none) it
leaves as it is, and warns what the change would cost; param `accept`, like `{"pin": ["retention"]}`, makes it.
`scale_stream` and `delete_stream` are skipped unless params request them:
- param `scale_to`, like `{"pin": 4}`: gives streams so many shards. The file's `shard_count` holds for creation only,
  so that the next run does not undo it.
- param `delete`, like `["geo"]`: deletes streams, after a person has approved it under *Required Actions* (no answer in
  four hours is a no), and only where all that is in them has been committed. `force` deletes what is unread, too.
  Airflow before 3.1 cannot ask: set `delete_without_approval` there, or to delete without a question.

**Reads.** `include/kinesis/streams.json`, its prefix from Variable `pinterest_pipeline`; Kinesis; before it deletes or
shortens the retention, `stream.position` in the warehouse (`pinterest_warehouse`).

**Writes.** The streams `streaming-<prefix>-pin|geo|user`; nothing else.

**Schedule.** Daily at 01:00 UTC, which undoes harmless changes made by hand. Run it by hand before the first posts are
put. A run checks the present, so missed runs are not repeated.

**Backfill.** Pointless: every run does the same.

**Triage notes.** Every error names its remedy. A cleared task continues from the present state of the stream.
- `ensure_stream` warns `… is not made: …`: correct the file if the change by hand is to stay; else `accept` it.
- `ensure_stream`, `scale_stream`: a refusal quotes Kinesis. Its limits: in 24 hours 10 changes of the shard count, each
  at most doubling or halving it, and 2 of the mode. "undid or ignored this": something else manages the stream, too.
- `delete_stream` says in which shard the oldest unread record is. Stop the producers, let the stream notebook commit
  (DAG `pinterest_stream_supervisor`), then clear it. Take a deleted stream out of the file, else it is created again.
- `approve_deletion` skipped the next tasks: a user rejected the deletion, or no user answered in time.
"""

from datetime import timedelta

from airflow.sdk import DAG
from airflow.timetables.trigger import CronTriggerTimetable

from pinterest_pipeline.dag import assets
from pinterest_pipeline.dag.approval import ApproveOperator
from pinterest_pipeline.dag.deadlines import ends_within
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS, NO_BACKFILL, START
from pinterest_pipeline.dag.kinesis_streams import PARAMS, streams_to_delete, streams_to_ensure, streams_to_scale
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.dag.settings import MACROS, setting
from pinterest_pipeline.kinesis.delete_stream import KinesisDeleteStreamOperator
from pinterest_pipeline.kinesis.operators import (
    KinesisEnsureStreamOperator,
    KinesisScaleStreamOperator,
)
from pinterest_pipeline.kinesis.plan import read_streams_file

INCLUDE = include_folder(__file__)
DECLARED = read_streams_file(INCLUDE / "kinesis" / "streams.json", {"prefix": setting("topic_prefix")})
STREAMS = {table: stream.arguments() for table, stream in DECLARED.items()}
WAITING = {
    "deferrable": True,
    "timeout": timedelta(minutes=30),
    "execution_timeout": timedelta(minutes=35),
    "map_index_template": "{{ task.stream_name }}",
}

with DAG(
    "pinterest_kinesis_streams",
    schedule=CronTriggerTimetable("0 1 * * *", timezone="UTC"),
    start_date=START,
    catchup=False,
    **NO_BACKFILL,
    max_active_runs=1,
    **ends_within(timedelta(hours=6)),
    default_args=DEFAULT_ARGS,
    template_searchpath=str(INCLUDE / "sql"),
    render_template_as_native_obj=True,
    user_defined_macros=MACROS,
    params=PARAMS,
    tags=["pinterest", "stream"],
    doc_md=__doc__,
):
    to_ensure, to_scale, to_delete = streams_to_ensure(STREAMS), streams_to_scale(STREAMS), streams_to_delete(STREAMS)
    ensure_stream = KinesisEnsureStreamOperator.partial(
        task_id="ensure_stream",
        converge_shard_count=False,
        sql="stream/read_up_to.sql",
        outlets=[assets.STREAMS],
        **WAITING,
    ).expand_kwargs(to_ensure)
    scale_stream = KinesisScaleStreamOperator.partial(task_id="scale_stream", **WAITING).expand_kwargs(to_scale)
    approve_deletion = ApproveOperator(
        task_id="approve_deletion",
        subject="Delete these Kinesis streams and all that is in them: {{ params.delete | join(', ') }}?",
        body="Param `force` is {{ params.force }}: with it, unread records are lost, too.",
        waived="{{ params.delete_without_approval }}",
        execution_timeout=timedelta(minutes=15),
    )
    delete_stream = KinesisDeleteStreamOperator.partial(
        task_id="delete_stream", sql="stream/read_up_to.sql", force="{{ params.force }}", **WAITING
    ).expand_kwargs(to_delete)

    ensure_stream >> scale_stream
    to_delete >> approve_deletion >> delete_stream
