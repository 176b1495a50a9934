"""Starting a job: whose run it is, its parameters, the token that makes starting twice harmless. No I/O."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.databricks.runs import Run

MAX_PARAMETER_BYTES = 10_000  # of all the parameters of a run-now, as JSON
REQUESTED_BY = "requested_by"  # the job parameter that tells whose run it is: run-now takes no name


def idempotency_token(identity: Sequence[Any], parameters: Mapping[str, str], attempt: int) -> str:
    """Return 64 characters, the API's limit, that differ for another task instance, parameter or attempt."""
    return sha256(json.dumps([*identity, parameters, attempt], sort_keys=True).encode()).hexdigest()


def requested_by(dag_id: str, task_id: str, run_id: str, map_index: int) -> str:
    """Return the name under which a task instance starts its runs."""
    suffix = f" {map_index}" if map_index >= 0 else ""
    return f"{dag_id}.{task_id} ({run_id}{suffix})"


def run_parameters(job: Mapping[str, Any], given: Mapping[str, Any], owner: str) -> dict[str, str]:
    """Return the job parameters of a run: text, since widgets hold nothing else; what is no text becomes JSON.

    :param job: The job's settings, which declare the parameters.
    :raises PermanentError: the job does not declare one of them, or they are more than the service takes.
    """
    declared = {parameter["name"] for parameter in job.get("parameters") or []}
    values = {**given, REQUESTED_BY: owner}
    if unknown := sorted(values.keys() - declared):
        raise PermanentError(
            f"Databricks job {job['name']} has no parameter {', '.join(unknown)}, only {', '.join(sorted(declared))}: "
            "correct job_parameters, or add it to the job's file."
        )
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    if (size := len(json.dumps(texts).encode())) > MAX_PARAMETER_BYTES:
        raise PermanentError(
            f"The parameters of a run of Databricks job {job['name']} are {size:,} bytes, the service takes "
            f"{MAX_PARAMETER_BYTES:,}: put what is long into an object of the lake, and pass its address."
        )
    return texts


def is_same_run(run: Run, parameters: Mapping[str, str]) -> bool:
    """Tell whether a run was started by the same task instance with the same parameters."""
    return all(run.parameters.get(name) == value for name, value in parameters.items())
