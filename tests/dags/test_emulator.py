"""The emulator's params arrive as the numbers that they are, and a number out of range is refused by the form."""

import copy
from types import SimpleNamespace

import pytest

from pinterest_pipeline.emulator.plan import Plan

VARIABLE = {"bucket": "a-lake", "topic_prefix": "prefix"}


@pytest.fixture
def dag(dags):
    return dags["pinterest_post_emulator"]


def rendered(dag, **params):
    task = copy.copy(dag.get_task("emulate_posts"))
    context = {
        "params": {**dag.params.dump(), **params},
        "var": {"json": SimpleNamespace(pinterest_pipeline=VARIABLE)},
        "task": task,
        "dag": dag,
    }
    task.render_template_fields(context)
    return task


def test_the_default_params_are_a_plan(dag):
    task = rendered(dag)

    assert Plan(**task.plan) == Plan(rate=10, count=600)
    assert (task.stream_prefix, task.bucket) == ("streaming-prefix", "a-lake")
    assert not task.topic_prefix


def test_every_param_reaches_the_plan_with_its_type(dag):
    given = {
        "rate": 2.5, "count": 7, "duration_seconds": 60, "mode": "classic", "seed": 3, "start": 4, "duplicates": 0.1,
        "malformed": 0.2, "late": 0.3, "late_seconds": 5, "reorder_window": 6,
    }  # fmt: skip

    task = rendered(dag, **given, also_kafka=True)

    assert Plan(**task.plan) == Plan(**given)
    assert task.topic_prefix == "prefix"


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("rate", 0), ("rate", 5001), ("count", 0), ("count", 1.5), ("mode", "fast"), ("seed", -1), ("duplicates", 1.1),
        ("malformed", -0.1), ("late", 2), ("duration_seconds", 0), ("start", -1), ("also_kafka", "yes"),
    ],
)  # fmt: skip
def test_a_param_out_of_range_is_refused_before_the_run_begins(dag, name, bad):
    try:
        from airflow.sdk.exceptions import ParamValidationError
    except ImportError:  # Airflow 3.0
        from airflow.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(bad)
