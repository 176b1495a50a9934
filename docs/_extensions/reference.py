"""What the reference shows: the classes of each role, however short a package's own docstring is; no helpers."""

from typing import Any

from sphinx.application import Sphinx


def leave_out(_app: Sphinx, what: str, _name: str, _obj: Any, skip: bool, _options: list[str]) -> bool:
    if what in {"package", "module"}:
        return False
    return skip or what in {"function", "data", "exception"}


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autoapi-skip-member", leave_out)
    return {"parallel_read_safe": True}
