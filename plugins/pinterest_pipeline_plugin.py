"""The one file that Airflow's plugin loader runs: ``.airflowignore`` hides the package from it."""

from airflow.plugins_manager import AirflowPlugin

import pinterest_pipeline


class PinterestPipelinePlugin(AirflowPlugin):
    """Registers what Airflow's UI must know of the package; new operator links go in the list."""

    name = pinterest_pipeline.__name__
    operator_extra_links = []  # noqa: RUF012 - the base class declares it as an instance's list
