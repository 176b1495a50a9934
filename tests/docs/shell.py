"""As much of a shell as documents need: quotes, comments, pipes, assignments, and commands within commands."""

import re
import shlex

SUBSTITUTION = re.compile(r"\$\(([^()]+)\)")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
SEPARATORS = frozenset({"|", "||", "&&", ";", "&"})
OMITTED = "…"
REDIRECTIONS = frozenset({">", ">>", "<"})


def words(text: str) -> list[str]:
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def is_whole(text: str) -> bool:
    if text.endswith("\\"):
        return False
    try:
        words(text)
    except ValueError:
        return False
    return True


def programs(text: str) -> list[list[str]]:
    """Return the words of each program that a command line starts, those of ``$(…)`` first."""
    found: list[list[str]] = []
    while inner := SUBSTITUTION.search(text):
        found += programs(inner[1])
        text = f"{text[: inner.start()]}substituted{text[inner.end() :]}"
    arguments: list[str] = []
    lexed = iter(words(text))
    for word in lexed:
        if word in REDIRECTIONS:
            next(lexed, None)
        elif word in SEPARATORS:
            found.append(arguments)
            arguments = []
        else:
            arguments.append(word)
    found.append(arguments)
    return [bare for bare in map(unwrapped, map(without_assignments, found)) if bare]


def unwrapped(arguments: list[str]) -> list[str]:
    """Return Airflow's command where Astro's carries one into its container."""
    is_carried = arguments[:3] == ["astro", "dev", "run"] and len(arguments) > 3
    return ["airflow", *arguments[3:]] if is_carried else arguments


def without_assignments(arguments: list[str]) -> list[str]:
    if arguments and arguments[0] == "export":
        return []
    while arguments and ASSIGNMENT.match(arguments[0]):
        arguments = arguments[1:]
    return [] if arguments[:1] in (["eval"], [OMITTED]) else arguments
