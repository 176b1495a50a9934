"""The one file that Airflow's plugin loader runs: ``.airflowignore`` hides the package from it."""

from airflow.plugins_manager import AirflowPlugin

import pinterest_pipeline
from pinterest_pipeline import ui
from pinterest_pipeline.common.links import LINKS


class PinterestPipelinePlugin(AirflowPlugin):
    """Registers what Airflow's UI must know of the package; Airflow 3.0 has no external views and passes over them."""

    name = pinterest_pipeline.__name__
    operator_extra_links = list(LINKS)  # noqa: RUF012 - the base class declares each as an instance's list
    fastapi_apps = [{"name": ui.NAME, "url_prefix": ui.URL_PREFIX, "app": ui.app}]  # noqa: RUF012
    external_views = [ui.EXTERNAL_VIEW]  # noqa: RUF012
