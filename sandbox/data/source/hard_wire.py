"""Wire payloads that no table could hold, for tests that post them straight through Kafka REST or into Kinesis."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from sandbox.data.source.generator import generate
from sandbox.data.source.schema import TABLES, wire_object
from sandbox.data.source.shuffling import pick, stream

type Message = dict[str, object]
type Spoiler = Callable[[Message, str, Random], str]


class Payload(NamedTuple):
    """One message: its table (``pin``, ``geo``, ``user``), its key (the post id as text), its value as text.

    :param kind: A name of ``KINDS``, or ``fit`` for a row as it comes from the tables.
    :param outcome: What the contract says of it: ``silver`` or ``quarantine``; ``either`` where it says nothing;
        ``duplicate`` for a value sent again. For ``fit`` it is ``silver``.
    """

    table: str
    key: str
    text: str
    kind: str
    outcome: str


def text_of(message: object) -> str:
    return json.dumps(message, ensure_ascii=False)


def changed(**changes: object) -> Spoiler:
    """Return a spoiler that sets fields (``key`` stands for the table's own key)."""

    def corrupt(message: Message, key: str, _: Random) -> str:
        return text_of(message | {key if name == "key" else name: value for name, value in changes.items()})

    return corrupt


def truncated(message: Message, _: str, random: Random) -> str:
    whole = text_of(message)
    return whole[: 1 + int(random.random() * (len(whole) - 2))]


def with_deep_key(message: Message, _key: str, _random: Random) -> str:
    return f'{text_of(message)[:-1]}, "deep": {"[" * 50}{"]" * 50}}}'


def constant(*texts: str) -> Spoiler:
    return lambda _message, _key, random: pick(random, texts)


ANY = ("pin", "geo", "user")
# fmt: off
KINDS: dict[str, tuple[tuple[str, ...], str, Spoiler]] = {  # name: tables, outcome, spoiler
    "truncated": (ANY, "quarantine", truncated),
    "no_object": (ANY, "quarantine", constant("[]", "[1, 2]", '"text"', "42", "true", "null")),
    "no_json": (ANY, "quarantine", constant("not json", "<row/>", "{]", "", " ", "{'index': 1}", "index=1")),
    "empty_object": (ANY, "quarantine", constant("{}")),
    "id_missing": (ANY, "quarantine", lambda m, key, _: text_of({k: v for k, v in m.items() if k != key})),
    "id_null": (ANY, "quarantine", changed(key=None)),
    "id_is_text": (ANY, "quarantine", changed(key="twelve")),
    "id_is_object": (ANY, "quarantine", changed(key={"id": 12})),
    "id_is_list": (ANY, "quarantine", changed(key=[12])),
    "unknown_key": (ANY, "silver", changed(surprise="új", nested={"a": [1, {"b": None}]})),
    "deep_unknown_key": (ANY, "silver", with_deep_key),
    "keys_reordered": (ANY, "silver", lambda m, _key, _random: text_of(dict(reversed(m.items())))),
    "escaped_unicode": (ANY, "silver", lambda m, _key, _random: json.dumps(m)),
    "spaced_out": (ANY, "silver", lambda m, _key, _random: "\n " + json.dumps(m, ensure_ascii=False, indent=2) + "\n"),
    "all_else_null": (ANY, "silver", lambda m, key, _: text_of({k: v if k == key else None for k, v in m.items()})),
    "all_else_missing": (ANY, "silver", lambda m, key, _: text_of({key: m[key]})),
    "nul_character": (("pin",), "silver", changed(title="before\x00after", poster_name="Nul\x00 Poster")),
    "lone_surrogate": (("pin",), "silver", lambda m, _key, _random: json.dumps(m | {"title": "half \ud83d emoji"})),
    "count_is_number": (("pin",), "either", changed(follower_count=1200)),
    "title_is_object": (("pin",), "either", changed(title={"en": "Title"})),
    "tags_are_list": (("pin",), "either", changed(tag_list=["one", "two"])),
    "downloaded_is_text": (("pin",), "either", changed(downloaded="yes")),
    "latitude_is_text": (("geo",), "either", changed(latitude="north")),
    "latitude_outside": (("geo",), "quarantine", changed(latitude=90.5)),
    "longitude_outside": (("geo",), "quarantine", changed(longitude=-180.5)),
    "timestamp_is_text": (("geo",), "either", changed(timestamp="last Tuesday")),
    "timestamp_is_number": (("geo",), "either", changed(timestamp=1508284800)),
    "timestamp_too_early": (("geo",), "quarantine", changed(timestamp="1999-12-31T23:59:59")),
    "timestamp_in_future": (("geo",), "quarantine", changed(timestamp="2999-01-01T00:00:00")),
    "age_is_text": (("user",), "either", changed(age="forty")),
    "age_too_low": (("user",), "quarantine", changed(age=12)),
    "age_too_high": (("user",), "quarantine", changed(age=121)),
    "joined_too_early": (("user",), "quarantine", changed(date_joined="2004-12-31T23:59:59")),
    "joined_in_future": (("user",), "quarantine", changed(date_joined="2999-12-31T23:59:59")),
}
# fmt: on


def hard_payloads(seed: int, rows: int, corrupt_part: float = 0.3) -> Iterator[Payload]:
    """Yield three payloads a post (pin, geo, user), corrupted at random, and sometimes one of them again.

    The rows underneath are ``sane``, so that a ``fit`` payload is fit; every kind occurs before any occurs by chance,
    given rows enough (about 35). The text of some is no JSON: post it as text, never parse it first.
    """
    random = stream(seed, "hard payloads")
    waiting = {table: [name for name, (tables, *_) in KINDS.items() if table in tables] for table in ANY}
    for post in generate("sane", rows, seed):
        for table, row in zip(TABLES, post, strict=True):
            payload = corrupt_payload(random, table, wire_object(table, row), waiting[table], corrupt_part)
            yield payload
            if payload.kind == "fit" and random.random() < 0.05:
                yield payload._replace(kind="sent_again", outcome="duplicate")


def corrupt_payload(random: Random, table: str, message: Message, waiting: list[str], corrupt_part: float) -> Payload:
    key = TABLES[table].key
    post = str(message[key])
    if waiting:
        kind = waiting.pop()
    elif random.random() < corrupt_part:
        kind = pick(random, [name for name, (tables, *_) in KINDS.items() if table in tables])
    else:
        return Payload(table, post, text_of(message), "fit", "silver")
    _, outcome, corrupt = KINDS[kind]
    return Payload(table, post, corrupt(message, key, random), kind, outcome)
