"""Links from a page to a file of the repository lead to that file as a page, where Sphinx would offer a download."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = "files"


def lead_to_pages(app: Sphinx, doctree: nodes.document, page: str) -> None:
    for node in list(doctree.findall(download_reference)):
        file = Path(app.env.relfn2path(node["reftarget"], page)[1]).relative_to(REPOSITORY)
        shown = f"{FOLDER}/{file}"
        app.repository_files[shown] = file  # type: ignore[attr-defined]
        link = nodes.reference("", "", *node.children, refuri=app.builder.get_relative_uri(page, shown), internal=True)
        node.replace_self(link)


def offer_no_downloads(_app: Sphinx, env: BuildEnvironment) -> None:
    env.dlfiles.clear()


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    for page, file in app.repository_files.items():  # type: ignore[attr-defined]
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        try:
            language = get_lexer_for_filename(file.name).aliases[0]
        except ClassNotFound:
            language = "text"
        body = app.builder.highlighter.highlight_block(text, language)  # type: ignore[attr-defined]
        yield page, {"title": str(file), "body": f"<h1>{file}</h1>{body}"}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    app.repository_files = {}  # type: ignore[attr-defined]
    app.connect("env-check-consistency", offer_no_downloads)
    app.connect("doctree-resolved", lead_to_pages)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
