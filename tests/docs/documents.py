"""The commands that our documents show: each line of a shell block, and each inline code that is a command.

The docstring of a DAG is a document, too: Airflow shows it under *Docs*.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tests.conftest import PROJECT
from tests.docs.shell import is_whole

SHELL = frozenset({"sh", "bash", "shell"})
PROMPT = "$ "
PROGRAMS = (
    "make|airflow|aws|astro|docker|databricks|python3?|eval|export|cp|curl|git|pip|uv|unzip|zip|psql|npm|sh|openssl|"
    r"pre-commit|kafka-topics\.sh|\.venv/\S+"
)
COMMAND = re.compile(rf"(\$ )?(?:[A-Z_]+=\S* )*(?:{PROGRAMS}) \S")
INLINE = re.compile(
    r"(?:[A-Z_]+=\S* )*(?:make|airflow|aws|astro|\.venv/\S+|python -m (?:sandbox|deploy)|eval|docker compose) "
)


@dataclass(frozen=True)
class Command:
    """A command as it stands in a document."""

    page: str
    line: int
    text: str
    is_inline: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def documents() -> list[Path]:
    found = [*sorted((PROJECT / "docs").glob("**/*.md")), *sorted((PROJECT / "dags").glob("*.py"))]
    return [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *found]


def markdown(page: Path) -> str:
    text = page.read_text()
    return ast.get_docstring(ast.parse(text)) or "" if page.suffix == ".py" else text


def commands(page: Path) -> Iterator[Command]:
    name = str(page.relative_to(PROJECT))
    for token in MarkdownIt("commonmark").enable("table").parse(markdown(page)):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "fence":
            language = token.info.split()[0] if token.info.strip() else ""
            if language in SHELL | {"", "console"}:
                for offset, text in lines(token.content, every_line=language in SHELL):
                    yield Command(name, line + offset, text, is_inline=False)
        for child in token.children or ():
            if child.type == "code_inline" and INLINE.match(child.content):
                yield Command(name, line, child.content, is_inline=True)


def blocks(page: Path, language: str) -> Iterator[str]:
    """Yield the fenced blocks of a language."""
    for token in MarkdownIt("commonmark").parse(markdown(page)):
        if token.type == "fence" and token.info.strip() == language:
            yield token.content


def lines(block: str, *, every_line: bool) -> Iterator[tuple[int, str]]:
    """Yield the commands of a block with their line; one goes on while a quote is open or a line ends in ``\\``."""
    pending, began = "", 0
    for number, line in enumerate(block.splitlines(), start=1):
        if pending:
            pending += "\n" + line
        elif COMMAND.match(line) or (every_line and line.strip() and not line.startswith("#")):
            pending, began = line.removeprefix(PROMPT), number
        if pending and is_whole(pending):
            yield began, pending
            pending = ""
    if pending:
        yield began, pending
