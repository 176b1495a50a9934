"""What a run of DAG ``pinterest_kinesis_streams`` does to which stream: its params, and the tasks that read them."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param, task

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kinesis.model import MAX_SHARDS_BY_UPDATE
from pinterest_pipeline.kinesis.plan import Guard

PARAMS = {
    "scale_to": Param(
        {},
        type="object",
        additionalProperties={"type": "integer", "minimum": 1, "maximum": MAX_SHARDS_BY_UPDATE},
        description='Shards by table, like {"pin": 4}; those streams are scaled.',
    ),
    "accept": Param(
        {},
        type="object",
        additionalProperties={"type": "array", "items": {"enum": [str(guard) for guard in Guard]}},
        description='Changes by table that are made whatever they cost, like {"pin": ["retention"]}. What they would '
        "cost says the log of ensure_stream.",
    ),
    "delete": Param(
        [],
        type="array",
        items={"type": "string"},
        description='Tables whose streams are deleted, like ["geo"], once all is read and a person has approved.',
    ),
    "force": Param(False, type="boolean", description="Delete also what is unread; it is lost."),
    "delete_without_approval": Param(
        False, type="boolean", description="Delete without asking; Airflow before 3.1 cannot ask."
    ),
}


def choose(streams: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the arguments of the operators, for each stream that they work on.

    :param streams: Arguments of ``KinesisEnsureStreamOperator`` by table.
    :param params: ``PARAMS`` as given.
    :returns: ``{"ensure": […], "scale": […], "delete": […]}``; what is deleted is neither ensured nor scaled.
    :raises PermanentError: a table that is not declared, or that is to be scaled and deleted at once.
    """
    scale_to, accept, delete = params["scale_to"], params["accept"], params["delete"]
    unknown = sorted({*scale_to, *accept, *delete} - streams.keys())
    if unknown:
        raise PermanentError(
            f"No stream is declared for {', '.join(unknown)}, only for {', '.join(streams)}: correct the params."
        )
    if both := sorted(scale_to.keys() & set(delete)):
        raise PermanentError(f"{', '.join(both)} cannot be scaled and deleted in one run: correct the params.")
    return {
        "ensure": [
            {**stream, "accept": accept.get(table, []), "parameters": {"stream": stream["stream_name"]}}
            for table, stream in streams.items()
            if table not in delete
        ],
        "scale": [
            {"stream_name": streams[table]["stream_name"], "target_shard_count": count}
            for table, count in scale_to.items()
        ],
        "delete": [
            {"stream_name": streams[table]["stream_name"], "parameters": {"stream": streams[table]["stream_name"]}}
            for table in dict.fromkeys(delete)
        ],
    }


@task
def streams_to_ensure(streams: Mapping[str, Any], params: Any = None) -> list[dict[str, Any]]:
    """Return the arguments of ``ensure_stream``: every declared stream that this run does not delete."""
    return choose(streams, params)["ensure"]


@task
def streams_to_scale(streams: Mapping[str, Any], params: Any = None) -> list[dict[str, Any]]:
    """Return the arguments of ``scale_stream``; where there are none it is skipped."""
    return choose(streams, params)["scale"]


@task.short_circuit(ignore_downstream_trigger_rules=False)
def streams_to_delete(streams: Mapping[str, Any], params: Any = None) -> list[dict[str, Any]]:
    """Return the arguments of ``delete_stream``; where there are none skip it, and the question before it."""
    return choose(streams, params)["delete"]
