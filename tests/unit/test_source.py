"""Rows that are no query's: of an iterable, a function, or lines of JSON; a scripted proxy, a lake in memory."""

import json

import pytest

from pinterest_pipeline.common.errors import PermanentError
from tests.unit.sending import context, operator

LETTERS = "dead-letters/pinterest.pin/"


def letters(store):
    return [letter for key, rows in store.objects.items() if key.startswith(LETTERS) for letter in rows]


def send(**arguments):
    return operator(sql=None, **arguments).execute(context())


@pytest.mark.parametrize(
    "rows",
    [
        [{"index": 1, "title": "a"}, {"index": 2, "title": "b"}],
        lambda: ({"index": n, "title": t} for n, t in ((1, "a"), (2, "b"))),
        ({"index": n, "title": t} for n, t in ((1, "a"), (2, "b"))),
    ],
)
def test_rows_of_an_iterable_or_a_function_are_sent_as_those_of_a_query(proxy, store, rows):
    result = send(rows=rows)

    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (2, 2, 0)
    assert proxy.asked[0].records == [
        {"key": 1, "value": {"index": 1, "title": "a"}},
        {"key": 2, "value": {"index": 2, "title": "b"}},
    ]


def test_rows_that_differ_keep_their_own_columns_and_one_without_key_is_a_dead_letter(proxy, store):
    result = send(rows=[{"index": 1}, {"title": "no key"}, {"index": None, "title": "no id"}, {"index": 3, "x": 1.5}])

    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (4, 3, 1)
    assert [record["value"] for record in proxy.asked[0].records][1:] == [
        {"index": None, "title": "no id"},
        {"index": 3, "x": 1.5},
    ]
    (letter,) = letters(store)
    assert letter["reason"] == "key column 'index' is not in the row"
    assert "no key" in letter["value"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, "a")], "the rows for topic pinterest.pin: a row is a tuple, expected a mapping of columns to values"),
        ([{"index": 1, "photo": b"x"}], "column 'photo' has a bytes, which JSON has no agreed form for"),
    ],
)
@pytest.mark.usefixtures("proxy", "store")
def test_rows_that_cannot_be_sent_are_an_error_that_says_why(rows, message):
    with pytest.raises(PermanentError, match=message):
        send(rows=rows)


LINES = [
    b'{"index": 1, "title": "as it stands", "price": 1.10}',
    b"",
    b'{"index": 2, "title": ',
    b"[1, 2]",
    b'{"title": "no key"}',
    b'{"index": 5, "title": "\xff"}',
    b'{"index": 6, "title": NaN}',
    b'{"index": 7, "title": "\\ud83d"}',
    b'{"index": "8", "title": "\xc3\xa9"}\r',
    b'{"index": 9, "deep": ' + b"[" * 1500 + b"]" * 1500 + b"}",
]


def test_lines_are_sent_byte_for_byte_and_what_is_no_row_is_a_dead_letter_with_the_line(proxy, store):
    store.lines["in/a.json"] = LINES

    result = send(json_lines="s3://elsewhere/in/a.json")

    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (9, 2, 7)
    assert b'{"key":1,"value":{"index": 1, "title": "as it stands", "price": 1.10}}' in proxy.asked[0].body
    assert '{"key":"8","value":{"index": "8", "title": "é"}}'.encode() in proxy.asked[0].body
    reasons = {letter["value"][:40]: letter["reason"] for letter in letters(store)}
    assert sorted(reason.partition(":")[0] for reason in reasons.values()) == [
        "a JSON list, not an object",
        "key column 'index' is not in the line",
        *["not JSON"] * 4,
        "not UTF-8",
    ]
    assert all(any(line.decode(errors="backslashreplace").startswith(start) for line in LINES) for start in reasons)


def test_all_objects_of_a_folder_are_read_in_the_order_of_their_names(proxy, store):
    store.lines |= {f"in/{name}": [json.dumps({"index": number}).encode()] for name, number in
                    (("10.json", 1), ("02.json", 0), ("11.json", 2))}  # fmt: skip
    store.lines |= {"in/": [], "inner/x.json": [b'{"index": 9}']}

    send(json_lines="s3://elsewhere/in/")

    assert proxy.asked[0].keys == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://elsewhere/empty/", "json_lines: no object is below empty/: correct it, or skip the task"),
        ("https://elsewhere/in.json", "json_lines has 'https://elsewhere/in.json': write it as s3://<bucket>/<key>"),
        ("s3://bucket", "json_lines has 's3://bucket'"),
        ("in.json", "json_lines has 'in.json'"),
    ],
)
@pytest.mark.usefixtures("proxy", "store")
def test_a_uri_without_objects_is_an_error_and_not_an_empty_success(uri, message):
    with pytest.raises(PermanentError, match=message):
        send(json_lines=uri)


@pytest.mark.parametrize("given", [{}, {"sql": "SELECT 1", "rows": []}, {"rows": [], "json_lines": "s3://a/b"}])
def test_exactly_one_source_is_given_when_the_dag_is_parsed(given):
    with pytest.raises(ValueError, match=r"[02] of sql, rows and json_lines are given: give one"):
        operator(**{"sql": None, **given})
