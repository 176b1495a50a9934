"""Run by Airflow's Python, not by pytest: the page's application by itself, on the port of the only argument.

Who asks is not asked here: tests/unit and tests/e2e see to sessions.
"""

import sys

import uvicorn

from pinterest_pipeline.ui.routes import PANELS, page, reader

for panel in PANELS.values():
    panel.seconds = 0.0  # the tests change the warehouse between two requests
page.dependency_overrides[reader] = lambda: None
uvicorn.run(page, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
