"""The page behind ``run_page_url``: a run for human eyes."""

import hmac
from datetime import UTC, datetime
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse

from sandbox.servers.databricks import rules
from sandbox.servers.databricks.config import Config
from sandbox.servers.databricks.model import TERMINAL, Attempt, Run, now_ms
from sandbox.servers.databricks.requests import find_run, services
from sandbox.servers.databricks.views import page_key

LOG_TAIL_BYTES = 20_000
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%}td,th{padding:.35rem .7rem;border-bottom:1px solid #d8dee4;text-align:left}
pre{background:#f6f8fa;padding:.8rem;overflow:auto;max-height:30rem;border-radius:6px}
.SUCCESS{color:#116329}.FAILED,.TIMEDOUT{color:#a40e26}.RUNNING{color:#0550ae}.muted{color:#59636e}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#d1d7e0}pre{background:#161b22}td,th{border-color:#3d444d}
.SUCCESS{color:#57ab5a}.FAILED,.TIMEDOUT{color:#f47067}.RUNNING{color:#6cb6ff}.muted{color:#9198a1}}
"""


async def run_page(request: Request) -> HTMLResponse:
    at = services(request)
    run, _ = find_run(at.store, int(request.path_params["run_id"]))
    if not hmac.compare_digest(request.query_params.get("key", ""), page_key(at.config, run.run_id)):
        return HTMLResponse("<p>Open this page by the run_page_url that the API gives.</p>", 401)
    return HTMLResponse(
        render(at.config, run), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    )


def render(config: Config, run: Run) -> str:
    state = rules.run_state(run)
    refresh = "" if state.life in TERMINAL else '<meta http-equiv="refresh" content="3">'
    rows = "".join(row(attempt) for attempt in run.attempts)
    details = "".join(section(config, attempt) for attempt in run.attempts)
    parameters = escape(", ".join(f"{name}={value}" for name, value in run.job_parameters.items())) or "none"
    word, name = state.result or state.life, escape(run.name)
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}: {word}</title>
{refresh}<style>{STYLE}</style>
<h1>{name} <span class="{word}">{word}</span></h1>
<p class="muted">Run {run.run_id} of job {run.job_id}, {run.trigger}, began {moment(run.start_time)},
{seconds(run.start_time, run.end_time)}; job parameters: {parameters}; repairs: {len(run.repairs)}</p>
<p>{escape(state.message)}</p>
<table><tr><th>Task<th>Attempt<th>State<th>Message<th>Waited<th>Ran<th>Cluster</tr>{rows}</table>
{details}</html>"""


def row(attempt: Attempt) -> str:
    word = attempt.result or attempt.life
    waited = seconds(attempt.start_time, attempt.execution_start or attempt.end_time)
    ran = seconds(attempt.execution_start, attempt.end_time) if attempt.execution_start else ""
    return (
        f'<tr id="{escape(attempt.task_key)}"><td><a href="#run-{attempt.run_id}">{escape(attempt.task_key)}</a>'
        f'<td>{attempt.attempt_number}<td class="{word}">{attempt.life} {attempt.result}<td>{escape(attempt.message)}'
        f"<td>{waited}<td>{ran}<td>{escape(attempt.cluster_id)}</tr>"
    )


def section(config: Config, attempt: Attempt) -> str:
    parts = {
        "Result": attempt.output,
        "Error": attempt.error_trace or attempt.error,
        "Output": log_tail(config, attempt.run_id),
    }
    shown = "".join(f"<h3>{title}</h3><pre>{escape(text)}</pre>" for title, text in parts.items() if text)
    heading = f"{escape(attempt.task_key)}, task run {attempt.run_id}"
    return f'<h2 id="run-{attempt.run_id}">{heading}</h2>{shown or "<p class=muted>Nothing yet.</p>"}'


def log_tail(config: Config, run_id: int) -> str:
    file = config.task_log(run_id)
    if not file.exists():
        return ""
    with file.open("rb") as log:
        log.seek(max(file.stat().st_size - LOG_TAIL_BYTES, 0))
        return log.read().decode(errors="replace")


def moment(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def seconds(start_ms: int, end_ms: int) -> str:
    return f"{((end_ms or now_ms()) - start_ms) / 1000:.1f} s"
