"""The three source tables and the form of their rows on the wire (data contract, section 1)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

type Value = str | int | float | datetime | None
type Row = tuple[Value, ...]


class Post(NamedTuple):
    """One post: a row of each table, in the order of the table's columns, all with the same id in front."""

    pin: Row
    geo: Row
    user: Row


@dataclass(frozen=True)
class Table:
    """A source table: its name in the database and its columns with their PostgreSQL types, the key first."""

    name: str
    types: dict[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.types)

    @property
    def key(self) -> str:
        return self.columns[0]


TABLES = {
    "pin": Table(
        "pinterest_data",
        {
            "index": "integer",
            "unique_id": "text",
            "title": "text",
            "description": "text",
            "poster_name": "text",
            "follower_count": "text",
            "tag_list": "text",
            "is_image_or_video": "text",
            "image_src": "text",
            "downloaded": "integer",
            "save_location": "text",
            "category": "text",
        },
    ),
    "geo": Table(
        "geolocation_data",
        {
            "ind": "bigint",
            "timestamp": "timestamp",
            "latitude": "double precision",
            "longitude": "double precision",
            "country": "text",
        },
    ),
    "user": Table(
        "user_data",
        {
            "ind": "bigint",
            "first_name": "text",
            "last_name": "text",
            "age": "integer",
            "date_joined": "timestamp",
        },
    ),
}


def wire_object(table: str, row: Row) -> dict[str, str | int | float | None]:
    """Return a row as the object that travels: the table's keys, timestamps as ``YYYY-MM-DDTHH:MM:SS`` (UTC)."""
    values = (value.isoformat(timespec="seconds") if isinstance(value, datetime) else value for value in row)
    return dict(zip(TABLES[table].columns, values, strict=True))


def wire(table: str, row: Row) -> bytes:
    """Return a row of ``pin``, ``geo`` or ``user`` as the UTF-8 JSON text that travels."""
    return json.dumps(wire_object(table, row), ensure_ascii=False).encode()
