"""A malformed answer is refused with its file, the line and what to write; a good one is read whole."""

from pathlib import Path

import pytest

from pinterest_pipeline.warehouse.answers import AnswerError, Bounds, Chart, Ties, parse, read_answers

GOOD = """/*
question = "Posts by country"
chart = { kind = "bars", labels = ["country", "year"], value = "posts" }
ties = { column = "posts", per = ["country"] }

[key]
country = "text"
year = "integer"

[value]
posts = "bigint"

[bounds]
posts = { least = 1 }
year = { least = 2018, most = "tomorrow" }
country = { one_of = ["Chad", "Peru"] }
*/
SELECT country, year, posts FROM pin_geo
"""


def changed(old, new):
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_a_file_is_read_whole():
    answer = parse("mine", GOOD)

    assert (answer.name, answer.question, answer.text) == ("mine", "Posts by country", GOOD)
    assert list(answer.columns.items()) == [("country", "text"), ("year", "integer"), ("posts", "bigint")]
    assert list(answer.key) == ["country", "year"]
    assert answer.chart == Chart("bars", ("country", "year"), "posts")
    assert answer.ties == Ties("posts", ("country",))
    assert answer.bounds == {
        "posts": Bounds(least=1),
        "year": Bounds(least=2018, most="tomorrow"),
        "country": Bounds(one_of=("Chad", "Peru")),
    }


def test_another_byte_is_another_version():
    assert parse("mine", GOOD).version == parse("yours", GOOD).version
    assert parse("mine", GOOD).version != parse("mine", GOOD + "\n").version


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param("SELECT 1", 1, "the file must be a line /*", id="no-declaration"),
        pytest.param(GOOD.partition("*/\n")[0] + "*/\n \n", 1, "and one SELECT", id="no-select"),
        pytest.param(changed('"Posts by country"', "Posts"), 2, "the declaration is not TOML", id="no-toml"),
        pytest.param(changed('"Posts by country"', '" "'), 2, 'write question = "…"', id="no-headline"),
        pytest.param(changed('question = "Posts by country"\n', ""), 1, "entry 'question' is missing", id="missing"),
        pytest.param(changed("ties = ", "tie = "), 4, "unknown entry 'tie'", id="unknown-entry"),
        pytest.param(changed('country = "text"', 'Country = "text"'), 7, "must be named with a-z", id="column-name"),
        pytest.param(changed('posts = "bigint"', 'posts = "long"'), 11, "has type 'long'; the types are", id="type"),
        pytest.param(changed('posts = "bigint"', 'year = "integer"'), 8, "is in [key] and in [value]", id="twice"),
        pytest.param(changed('kind = "bars"', 'kind = "pie"'), 3, "the kinds are bars, grid", id="kind"),
        pytest.param(changed('["country", "year"], v', '["country"], v'), 3, "must name every key", id="labels"),
        pytest.param(changed('value = "posts" }', 'value = "country" }'), 3, "name a numeric column", id="value"),
        pytest.param(changed('per = ["country"]', 'per = ["city"]'), 4, "ties per names ['city']", id="ties"),
        pytest.param(changed("posts = { least = 1 }", "posts = { least = true }"), 11, "must be numbers", id="bound"),
        pytest.param(changed('["Chad", "Peru"]', "[]"), 7, 'write country = { one_of = ["…", "…"] }', id="one-of"),
        pytest.param(changed("posts = { least = 1 }", "cost = { least = 1 }"), 13, "bounds names", id="bound-column"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line_and_what_to_write(text, line, says):
    with pytest.raises(AnswerError) as refused:
        parse("mine", text)

    assert str(refused.value).startswith(f"include/sql/answers/mine.sql, line {line}: "), refused.value
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["Mine", "my-answer", "load", "9_lives", "a" * 59])
def test_a_name_that_cannot_name_a_table_is_refused(name):
    with pytest.raises(AnswerError, match="use a-z, 0-9 and _, at most 58 characters"):
        parse(name, GOOD)


def test_every_malformed_file_of_a_folder_is_named_at_once(tmp_path: Path):
    for name, text in {"good": GOOD, "one": "SELECT 1", "two": changed('kind = "bars"', 'kind = "pie"')}.items():
        (tmp_path / f"{name}.sql").write_text(text)

    with pytest.raises(AnswerError) as refused:
        read_answers(tmp_path)

    assert [line.partition(",")[0] for line in str(refused.value).splitlines()] == [
        "include/sql/answers/one.sql",
        "include/sql/answers/two.sql",
    ]


def test_a_folder_without_a_file_is_refused(tmp_path: Path):
    with pytest.raises(AnswerError, match="There is no SQL file in"):
        read_answers(tmp_path)
