"""Run as a program in Airflow's environment: publish, which checks them, and draw the staged answers; prints JSON.

``publish_and_draw.py SQL_FOLDER``; the connection is ``AIRFLOW_CONN_PINTEREST_WAREHOUSE``, the package that of
``PYTHONPATH``.
"""

import json
import sys
from pathlib import Path

from pinterest_pipeline.ui import answers
from pinterest_pipeline.warehouse.operators import PostgresPublishAnswersOperator
from pinterest_pipeline.warehouse.publish import all_checks

CONNECTION = "pinterest_warehouse"

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    operator = PostgresPublishAnswersOperator(
        task_id="publish", conn_id=CONNECTION, folder=folder / "answers", checks=folder / "checks"
    )
    result = {
        "published": operator.execute({}),
        "checks": list(all_checks(folder / "answers", folder / "checks")),
        "panel": answers.panel(),
    }
    print("RESULT " + json.dumps(result, default=str))
