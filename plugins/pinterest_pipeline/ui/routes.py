"""The page's routes: its files, and one answer a panel, for users who are signed in and may see the DAGs.

A plugin's application has no authentication of its own, so every route depends on :func:`reader`. The routes that query
databases are plain functions, which FastAPI runs in threads, off the api-server's event loop.
"""

from pathlib import Path
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import FileResponse, RedirectResponse

from pinterest_pipeline.ui import NAME, answers, flow, health, history, quarantine, stream
from pinterest_pipeline.ui.cache import Cached

STATIC = Path(__file__).with_name("static")
FILES = {file.name: file for file in STATIC.iterdir() if file.suffix in {".js", ".css", ".svg"}}
CACHE_SECONDS = 3.0
PANELS = {
    "answers": Cached(answers.panel, CACHE_SECONDS),
    "flow": Cached(flow.panel, CACHE_SECONDS),
    "health": Cached(health.panel, CACHE_SECONDS),
    "history": Cached(history.panel, CACHE_SECONDS),
    "quarantine": Cached(quarantine.panel, CACHE_SECONDS),
    "stream": Cached(stream.panel, CACHE_SECONDS),
}
HEADERS = {
    # Titles and payloads come from users: where one gets into the page as markup, it must not run.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def reader(user: GetUserDep, response: Response) -> None:
    """Let those in who may see the batch's DAG: 401 without a session, 403 without that right."""
    if not get_auth_manager().is_authorized_dag(method="GET", details=DagDetails(id=health.BATCH), user=user):
        raise HTTPException(403, f"You may not see the DAG {health.BATCH}: ask for the right to read it.")
    response.headers.update(HEADERS)


page = FastAPI(title=NAME, dependencies=[Depends(reader)], docs_url=None, redoc_url=None, openapi_url=None)


@page.exception_handler(401)
async def sign_in(request: Request, refused: HTTPException) -> Response:
    """Send a browser that asked for the page to Airflow's login, which sends it back; refuse everybody else."""
    if request.url.path.endswith("/") and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(get_auth_manager().get_url_login(next_url=str(request.url)))
    return await http_exception_handler(request, refused)


@page.get("/")
def index() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers=HEADERS)


@page.get("/static/{name}")
def static(name: str) -> FileResponse:
    if name not in FILES:
        raise HTTPException(404, "The page has no such file.")
    return FileResponse(FILES[name], headers=HEADERS)


@page.get("/api/{name}")
def panel(name: str) -> dict[str, Any]:
    if name not in PANELS:
        raise HTTPException(404, f"There is no panel of that name, only {', '.join(PANELS)}.")
    return PANELS[name].get()
