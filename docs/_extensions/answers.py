"""The list of the answers, made of the files of ``include/sql/answers`` where a page says ``<!-- answers -->``."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

PROJECT = Path(__file__).resolve().parents[2]
sys.path.append(str(PROJECT / "plugins"))

from pinterest_pipeline.warehouse.answers import Answer, read_answers  # noqa: E402 - the path is set above

MARK = "<!-- answers -->\n"


def insert_answers(_app: Sphinx, _page: str, source: list[str]) -> None:
    if MARK in source[0]:
        rows = map(row, read_answers(PROJECT / "include" / "sql" / "answers"))
        source[0] = source[0].replace(MARK, "\n".join(["| table | question | columns |", "|---|---|---|", *rows, ""]))


def row(answer: Answer) -> str:
    return f"| `{answer.name}` | {answer.question} | {', '.join(f'`{column}`' for column in answer.columns)} |"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", insert_answers)
    return {"parallel_read_safe": True}
