"""The page in Airflow knows some tasks by name."""

from pinterest_pipeline.ui.airflow_runs import ALERT
from pinterest_pipeline.ui.health import BATCH, CONNECTOR, LAUNCH, RESTART, STREAM, WATCH


def test_the_dags_have_the_tasks_that_the_page_reads(dags):
    named = {BATCH: set(), CONNECTOR: {RESTART, ALERT}, STREAM: {LAUNCH, WATCH}}

    missing = {dag_id: names - set(dags[dag_id].task_dict) for dag_id, names in named.items()}

    assert missing == {dag_id: set() for dag_id in named}, "rename the task in plugins/pinterest_pipeline/ui too"
