"""What makes the data hard to read is really in it."""

import json
import re
from collections import Counter

import pytest

from sandbox.data.source.generator import generate
from sandbox.data.source.hard import HARD
from sandbox.data.source.hard_wire import KINDS, hard_payloads
from sandbox.data.source.schema import TABLES, wire


@pytest.fixture(scope="module")
def pins() -> list[tuple]:
    return [post.pin for post in generate("faithful", 11_154, 7)]


@pytest.mark.parametrize("hazard", ["\n", "\r\n", "|", '"', ",", "\t", "\u200d", "\ufe0f"])
def test_titles_and_descriptions_hold_what_breaks_readers(pins, hazard: str) -> None:
    assert any(hazard in pin[2] + pin[3] for pin in pins)


def test_half_of_the_posts_hold_emoji_or_scripts_other_than_latin(pins) -> None:
    foreign = re.compile(r"[^\x00-\u024f\u2014\u2022\u2026]")

    assert sum(bool(foreign.search(pin[2] + pin[3])) for pin in pins) / len(pins) == pytest.approx(0.5, abs=0.05)


def test_long_descriptions_are_cut_at_180_characters_with_an_ellipsis_and_a_hard_space(pins) -> None:
    cut = [pin[3] for pin in pins if pin[3].endswith("…\u00a0")]

    assert len(cut) > 1_000
    assert {len(text) for text in cut} == {180}
    assert max(len(pin[3]) for pin in pins) == 180


def test_ids_tags_and_addresses_have_the_forms_of_the_original(pins) -> None:
    assert len({pin[1] for pin in pins}) == len(pins)
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", pin[1]) for pin in pins
    )
    tags = Counter(len(set(pin[6].split(","))) for pin in pins if not pin[6].startswith("N,o"))
    assert set(tags) == {8, 9}
    assert tags[9] > 20 * tags[8]
    addresses = (
        r"https://i\.pinimg\.com/(videos/thumbnails/)?originals/(\w\w/){3}[0-9a-f]{32}(\.0000001)?\.(jpg|png|webp|gif)"
    )
    assert all(re.fullmatch(addresses, pin[8]) for pin in pins if pin[8] != "Image src error.")


def test_hard_rows_hold_every_listed_value_of_every_column() -> None:
    posts = list(generate("hard", 11_154, 7))

    for place, (table, columns) in enumerate(HARD.items()):
        for column, (_, choices) in columns.items():
            found = {post[place][TABLES[table].columns.index(column)] for post in posts}
            assert {choice for choice in choices if not callable(choice)} <= found, column
    assert all(isinstance(post.geo[1].year, int) for post in posts), "a post without a time is in no window"


def test_a_row_travels_as_an_object_of_the_table_s_keys_with_plain_timestamps() -> None:
    post = next(generate("sane", 1, 7))

    for table, row in zip(TABLES, post, strict=True):
        assert tuple(json.loads(wire(table, row))) == TABLES[table].columns
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", json.loads(wire("geo", post.geo))["timestamp"])


def test_hard_payloads_show_every_kind_and_are_the_same_each_time() -> None:
    payloads = list(hard_payloads(seed=7, rows=40))

    assert payloads == list(hard_payloads(seed=7, rows=40))
    assert {payload.kind for payload in payloads} >= {*KINDS, "fit"}
    assert all(payload.table in TABLES and payload.key.isdigit() for payload in payloads)


@pytest.mark.parametrize("kind", ["truncated", "no_json"])
def test_broken_payloads_are_no_json(kind: str) -> None:
    texts = [payload.text for payload in hard_payloads(seed=3, rows=300) if payload.kind == kind]

    assert texts
    for text in texts:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


def test_fit_payloads_are_whole_and_those_sent_again_are_equal() -> None:
    payloads = list(hard_payloads(seed=3, rows=300))
    again = [payload for payload in payloads if payload.kind == "sent_again"]
    fit = {(payload.table, payload.key): payload.text for payload in payloads if payload.kind == "fit"}

    assert again
    assert all(fit[payload.table, payload.key] == payload.text for payload in again)
    assert all(json.loads(text)[TABLES[table].key] == int(key) for (table, key), text in fit.items())
