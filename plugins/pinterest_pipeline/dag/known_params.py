"""Refuse a run whose conf has a key that its DAG does not know: Airflow takes it, and the request would be lost."""

from collections.abc import Mapping
from typing import Any

from pinterest_pipeline.common.errors import PermanentError


def refuse_unknown_conf(context: Mapping[str, Any]) -> None:
    """Raise before a task does anything; the ``pre_execute`` of every task.

    :raises PermanentError: naming every key that is no param of the DAG, and its params.
    """
    dag, conf = context["dag"], context["dag_run"].conf or {}
    if unknown := sorted(conf.keys() - dag.params.keys()):
        known = ", ".join(sorted(dag.params.keys())) or "no param at all"
        raise PermanentError(
            f"{dag.dag_id} was triggered with {', '.join(unknown)}, which is no param of it: trigger it again with "
            f"some of these: {known}. Nothing was done."
        )
