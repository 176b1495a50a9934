"""JSON files with ``${placeholders}``: what the files of ``include/`` leave to the Variable. No I/O but the file."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from pinterest_pipeline.common.errors import PermanentError

WHOLE_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def read_json(file: Path, what: str, *, argument: str) -> Any:
    """Return a file's document.

    :raises PermanentError: no file, or no JSON, naming the file after ``what``, and ``argument`` as what to correct.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PermanentError(f"{what} {file} does not exist: correct {argument}.") from error
    except ValueError as error:
        raise PermanentError(f"{what} {file} is not JSON ({error}): correct it.") from error


def fill(
    document: Any, values: Mapping[str, Any], what: str, *, remedy: str, may_be_empty: Collection[str] = ()
) -> Any:
    """Return the document with its placeholders replaced; a text that is one placeholder takes the value as it is.

    :raises PermanentError: naming every missing, every empty and every unused name after ``what``, and ``remedy``.
    """
    _check_placeholders(document, values, what, remedy, may_be_empty)
    return _filled(document, values)


def _check_placeholders(
    document: Any, values: Mapping[str, Any], what: str, remedy: str, may_be_empty: Collection[str]
) -> None:
    used: set[str] = set()
    for text in _texts(document):
        template = Template(text)
        if not template.is_valid():
            raise PermanentError(f"{what} has a malformed placeholder in {text!r}: write $$ for a dollar.")
        used.update(template.get_identifiers())
    missing, unused = sorted(used - values.keys()), sorted(values.keys() - used)
    filled_in = (used & values.keys()) - set(may_be_empty)
    empty = sorted(name for name in filled_in if values[name] in (None, "", "None"))
    problems = [
        f"{problem} {', '.join(names)}"
        for problem, names in (
            ("no value for", missing),
            ("an empty value for", empty),
            ("a value that it does not use for", unused),
        )
        if names
    ]
    if problems:
        raise PermanentError(f"{what} was given {' and '.join(problems)}: {remedy}.")


def _filled(document: Any, values: Mapping[str, Any]) -> Any:
    match document:
        case str():
            whole = WHOLE_PLACEHOLDER.fullmatch(document)
            return values[whole.group(1)] if whole else Template(document).substitute(values)
        case dict():
            return {key: _filled(member, values) for key, member in document.items()}
        case list():
            return [_filled(member, values) for member in document]
    return document


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for member in value.values():
                yield from _texts(member)
        case list():
            for member in value:
                yield from _texts(member)
