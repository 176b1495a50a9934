"""The one file that Airflow's plugin loader runs; ``.airflowignore`` keeps it from running the package file by file."""

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

import pinterest_pipeline


class PinterestPipelinePlugin(AirflowPlugin):
    """Registers what Airflow's UI must know of the package; add new operator links to the list."""

    name = pinterest_pipeline.__name__
    operator_extra_links: ClassVar[list[object]] = []
