"""Run one of Airflow's components that fork for each task or DAG file, with what every fork needs imported before.

``python preloaded.py scheduler …`` is ``python -m airflow scheduler …``. A bare fork begins with the imports below: 0.5
CPU-s before a task's own code instead of 0.1, and a batch run has 25 tasks. None is a module of the pipeline: each task
imports those itself, so that an edited file counts from the next task on.
"""

import runpy
import sys
from importlib import import_module
from pathlib import Path

MODULES = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.dagbag",
    "airflow.plugins_manager",
    "airflow.providers.amazon.aws.hooks.base_aws",
    "airflow.providers.databricks.hooks.databricks",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.common.sql.operators.sql",
    "airflow.providers.standard.decorators.short_circuit",
    "airflow.timetables.trigger",
    "fastapi",  # of the plugin's page
)

if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())  # as ``-m`` has it, instead of this file's folder
    for name in MODULES:
        import_module(name)
    runpy.run_module("airflow", run_name="__main__", alter_sys=True)
