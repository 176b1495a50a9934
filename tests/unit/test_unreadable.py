"""JSON documents that PostgreSQL takes and no reader after it; the drivers are tested on a real server."""

import pytest

from pinterest_pipeline.common.records import UnreadableValue
from pinterest_pipeline.source.unreadable import MAX_NESTING, keep_unreadable_values, read_document


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("before", "after", "depth"),
    [
        pytest.param("", "", 0, id="array"),
        pytest.param('{"a": ', "}", 1, id="object"),
        pytest.param('[["]\\"]", ', "]]", 2, id="brackets in a text"),
    ],
)
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_document_may_be_as_deep_as_its_readers_take(before, after, depth, over):
    document = before + nested(MAX_NESTING - depth + over) + after

    assert isinstance(read_document(document), UnreadableValue) is (over > 0)


@pytest.mark.parametrize(
    "document", ["1", '"' + "[" * 5000 + '"', '"\\"' + "[" * 5000 + '"', "[" + ",".join(["[]"] * 5000) + "]"]
)
def test_brackets_in_a_text_and_side_by_side_are_not_depth(document):
    assert not isinstance(read_document(document.encode()), UnreadableValue)


def test_a_broken_document_is_kept_with_its_reason():
    found = read_document("{")

    assert (found.text, found.reason.split(":")[0]) == ("{", "JSONDecodeError")


def test_connections_of_other_drivers_are_left_alone():
    keep_unreadable_values(object())
