"""What the reference shows: the classes of each role, under short names, however little a package says of itself."""

import re
from typing import Any

from sphinx.application import Sphinx

TITLE = re.compile(r"\Apinterest_pipeline\.(?P<name>[\w.]+)\n=+\n")
HEADINGS = re.compile(r"^(?:Submodules|(?:Module|Package) Contents)\n-+\n", re.MULTILINE)


def leave_out(_app: Sphinx, what: str, _name: str, _obj: Any, skip: bool, _options: list[str]) -> bool:
    if what in {"package", "module"}:
        return False
    return skip or what in {"function", "data", "exception"}


def shorten(_app: Sphinx, page: str, source: list[str]) -> None:
    if page.startswith("reference/"):
        text = HEADINGS.sub("", source[0])
        source[0] = TITLE.sub(lambda found: f"{found['name']}\n{'=' * len(found['name'])}\n", text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autoapi-skip-member", leave_out)
    app.connect("source-read", shorten)
    return {"parallel_read_safe": True}
