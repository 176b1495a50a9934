"""The pipeline's page in Airflow's UI: what runs, what it produced, and where it is stuck.

Every component of Airflow loads the plugin that registers it, so nothing heavier than this file is imported before the
api-server gets the page's first request.
"""

from typing import Any

NAME = "Pinterest pipeline"
URL_PREFIX = "/pinterest"
EXTERNAL_VIEW = {
    "name": "Pinterest",  # the navigation has room for one word
    "icon": f"{URL_PREFIX.lstrip('/')}/static/icon.svg",
    "href": f"{URL_PREFIX.lstrip('/')}/",  # relative: Airflow may itself be served below a path
    "url_route": "pinterest",
    "destination": "nav",
    "nav_top_level": True,
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request, as any ASGI application does."""
    from pinterest_pipeline.ui.routes import page  # noqa: PLC0415 - see above

    await page(scope, receive, send)
