"""What is wrong with a malformed record: defects that a reader must quarantine, or survive, but never take for a row.

None of them may replace a good row of the same post: those that keep a usable id are out of range, which the data
contract quarantines, or carry the same values beside an unknown key.
"""

import json
from collections.abc import Callable
from typing import Any

from pinterest_pipeline.common.tables import KEYS, TABLES

type Row = dict[str, Any]
type Defect = Callable[[Row, str, float], str]  # the row, its key column, a number from 0 up to 1

ANY = TABLES


def text_of(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def truncated(row: Row, _key: str, where: float) -> str:
    whole = text_of(row)
    return whole[: 1 + int(where * (len(whole) - 2))]


def with_key(value: object) -> Defect:
    """Return the defect that puts ``value`` where the id belongs."""
    return lambda row, key, _where: text_of(row | {key: value})


def with_values(**values: object) -> Defect:
    """Return the defect that replaces fields."""
    return lambda row, _key, _where: text_of(row | values)


DEFECTS: dict[str, tuple[tuple[str, ...], Defect]] = {  # name: the tables it fits, and how it is made
    "truncated": (ANY, truncated),
    "no_json": (ANY, lambda _row, key, _where: f"{key}=1"),
    "no_object": (ANY, lambda row, _key, _where: text_of(list(row.values()))),
    "id_missing": (ANY, lambda row, key, _where: text_of({name: row[name] for name in row if name != key})),
    "id_null": (ANY, with_key(None)),
    "id_is_text": (ANY, with_key("twelve")),
    "id_is_object": (ANY, with_key({"id": 12})),
    "unknown_key": (ANY, with_values(surprise={"a": [1, None]})),
    "latitude_outside": (("geo",), with_values(latitude=90.5)),
    "timestamp_in_future": (("geo",), with_values(timestamp="2999-01-01T00:00:00")),
    "age_too_high": (("user",), with_values(age=999)),
}


def corrupted(table: str, row: bytes, which: float, where: float) -> tuple[str, bytes]:
    """Return the name of a defect and a copy of ``row`` that has it.

    :param which: Chooses the defect, from 0 up to 1; all that fit the table are equally likely.
    :param where: Chooses within it, from 0 up to 1.
    """
    fitting = [name for name, (tables, _) in DEFECTS.items() if table in tables]
    name = fitting[int(which * len(fitting))]
    _, make = DEFECTS[name]
    return name, make(json.loads(row), KEYS[table], where).encode()
