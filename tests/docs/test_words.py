"""Words that mean something to nobody but their author stay out of code, docs and messages; each has a plain one."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
REPLACEMENTS = {
    "books?": "reconciliation, counts",
    "judge[ds]?|judge?ment|judging": "validate, check; health, decision (on a system)",
    "cure[ds]?|curing": "fix, remedy",
    "mend(?:s|ed|ing)?": "fix, repair",
    "anew": "again",
    "lest": "so that … not",
    "astray": "lost",
    "spoilt": "corrupted",
    "culprits?": "failed upstream task, root cause",
    "reproach(?:es|ed)?": "error, report",
    "unwatched": "not monitored",
    "halt(?:s|ed|ing)?": "stop",
    "retire[ds]?|retiring": "delete, stop",
    "settle[sd]?|settling|unsettled": "apply, count; pending",
    "hence": "so",
    "whoever|somebody": "the user, the task: name the actor",
    "whichever|wherever": "the one that, where",
    "upon": "on",
    "fates?": "outcome",
}
PATTERN = re.compile("|".join(f"(?P<w{number}>{words})" for number, words in enumerate(REPLACEMENTS)))
# A name is read as its words: snake_case, camelCase, ALL_CAPS, HTTPError.
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Not ours to choose, or history: what was released, the law, lists that tools write, migrations; and this list.
EXCEPT = re.compile(
    r"CHANGELOG\.md|LICENSE|include/sql/migrations/.*|requirements.*\.txt|requirements/.*|constraints/.*"
    r"|.*-lock\.json|.*\.lock|tests/docs/test_words\.py"
)
# (file, word): the reason why the word stays.
ALLOWED = {
    ("sandbox/servers/kinesis/node/front.cjs", "settled"): "the name of a method of JavaScript's Promise",
    ("sandbox/data/source/words.py", "book"): "a word of the generated posts, which the golden answers depend on",
}


def tracked_files():
    command = ["git", "ls-files", "-z"]
    names = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60).stdout
    return [name for name in names.split("\0") if name and (PROJECT / name).is_file() and not EXCEPT.fullmatch(name)]


def found_in(name, text):
    """Return a line for each such word in a file's name or text."""
    found = []
    for number, line in enumerate([name, *text.splitlines()]):
        for match in WORD.finditer(line):
            word = match[0].lower()
            if (hit := PATTERN.fullmatch(word)) and (name, word) not in ALLOWED:
                replacement = list(REPLACEMENTS.values())[int(hit.lastgroup[1:])]
                found.append(f"{name}:{number}: {word}: write {replacement}")
    return found


def test_no_file_has_a_word_that_needs_translating():
    found = []
    for name in tracked_files():
        try:
            text = (PROJECT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            text = ""  # a picture; its name counts
        found += found_in(name, text)

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the books balance", "books"),
        ("def close_book():", "book"),
        ("class UnwatchedStream:", "unwatched"),
        ("HALT_SECONDS = 1", "halt"),
        ("retireStream()", "retire"),
        ("judgement", "judgement"),
        ("JSONCures", "cures"),
    ],
)
def test_a_word_is_found_in_prose_and_inside_names(text, word):
    (line,) = found_in("a.py", f"\n{text}\n")

    assert line.startswith(f"a.py:2: {word}: write ")


@pytest.mark.parametrize("text", ["notebook", "bookmark", "tedious", "secure", "amend", "Cuba", "asphalt", "newest"])
def test_a_word_within_a_word_is_none(text):
    assert found_in("a.py", text) == []
