"""Whatever a payload holds: the row of silver is what the contract's section 2 says, here in plain Python.

Only inputs are made whose meaning the contract leaves no doubt about; what is subtle has its examples in
``test_cleaning.py`` and ``test_quality.py``. All payloads of a table are validated together, since a call of Spark
costs a second.
"""

import datetime as dt
import json
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.support.properties import many

BLANKS = "\x00\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
SENTINELS = {
    "title": {"No Title Data Available", "Untitled"},
    "description": {"No description available Story format", "No description available"},
    "poster_name": {"User Info Error"},
    "follower_count": {"User Info Error"},
    "tag_list": {"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"},
    "image_src": {"Image src error."},
}
END_OF_TOMORROW = dt.datetime(2026, 11, 26)  # noqa: DTZ001 - Spark returns naive UTC; records arrive on the 24th

blanks = st.text(BLANKS, max_size=3)
words = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | blanks, max_size=4).map("".join)
no_data = st.sampled_from(sorted({text for texts in SENTINELS.values() for text in texts}))
texts = st.one_of(st.none(), words, no_data, st.builds("{}{}{}".format, blanks, no_data, blanks))
wrong_texts = texts | texts | texts | st.sampled_from([[], {}, ["a"], {"a": "b"}])
counts = st.from_regex(r"\A[0-9,]{0,9}(\.[0-9]{1,9}|[0-9])[kKmMbB]?\Z") | st.text("0123456789,.kM ", max_size=8)
tags = st.lists(words | st.sampled_from(["", " ", "art"]), max_size=6).map(",".join)
places = words.map("Local save in {}".format)
zones = st.sampled_from(["", "", "Z", "+05:00", "-03:30", "+00:00"])
moments = st.datetimes(dt.datetime(2003, 1, 1), dt.datetime(2028, 1, 1))  # noqa: DTZ001
times = st.builds(lambda moment, mark, zone: moment.isoformat(mark) + zone, moments, st.sampled_from("T "), zones)
no_times = st.sampled_from([None, "", "yesterday", "2020-05-06", "07:08:09", "2020-13-01T00:00:00"])
edges = st.sampled_from(["2005-01-01T00:00:00", "2004-12-31T23:59:59", "2026-11-25T23:59:59.9", "2026-11-26T00:00:00"])
ids = st.integers(0, 10**12) | st.integers(-3, 9) | st.sampled_from([None, "1", [1], 30.0, 30.5])
documents = st.sampled_from(['{"ind": 1}', '{"ind": 2, "country": "}{"}', '{"ind": 3, "a": {"b": [{}]}}', "{}"])
blank = st.sampled_from(["", " ", "\t", "\r\n", "\n "])
pieces = documents | blank | st.sampled_from([*'{}[],:"1x\u00a0\\\\', '{"ind":', '"a": {}', "null"])
payloads_of_pieces = st.lists(pieces, min_size=1, max_size=5).map("".join) | st.builds(
    "{}{}{}{}".format, blank, documents, blank, pieces
)


def degrees(limit: int) -> st.SearchStrategy[Any]:
    inside = st.floats(-limit, limit)
    return inside | inside | st.none() | st.sampled_from([limit, -limit, limit + 0.5, -limit - 1, "north"])


PAYLOADS = {
    "pin": st.fixed_dictionaries(
        {
            "index": ids, "title": wrong_texts, "description": wrong_texts, "poster_name": texts, "category": texts,
            "follower_count": counts | texts, "tag_list": tags | texts, "image_src": texts,
            "downloaded": st.integers(-1, 2) | st.sampled_from([None, "yes", {}]), "save_location": places | texts,
        },
        optional={"colour": texts},
    ),
    "geo": st.fixed_dictionaries(
        {"ind": ids, "country": wrong_texts, "timestamp": times | edges | no_times, "latitude": degrees(90),
         "longitude": degrees(180)},
    ),
    "user": st.fixed_dictionaries(
        {"ind": ids, "first_name": wrong_texts, "last_name": texts, "date_joined": times | edges | no_times,
         "age": st.integers(13, 120) | st.sampled_from([12, 13, 120, 121, None, "30"])},
    ),
}  # fmt: skip


def tidied(name: str, value: str | None) -> str | None:
    text = re.sub(f"[{re.escape(BLANKS)}]+", " ", value or "").strip(" ")
    return None if text == "" or text in SENTINELS.get(name, ()) else text


def followers(text: str | None) -> int | None:
    found = re.fullmatch(r"([0-9,]*\.?[0-9]+) ?([kKmMbB]?)", text or "")
    if found is None:
        return None
    factor = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}[found[2].lower()]
    return int((Decimal(found[1].replace(",", "")) * factor).quantize(Decimal(1), ROUND_HALF_UP))


def instant(text: str | None) -> dt.datetime | None:
    if not re.fullmatch(r"\S{10}[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", text or ""):
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(dt.UTC).replace(tzinfo=None) if found.tzinfo else found


def whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def is_no_id(value: int | None) -> bool:
    return value is None or value < 0


def typed(payload: dict[str, Any], kinds: dict[str, type]) -> tuple[dict[str, Any], set[str]]:
    """Return the values that have their column's type, texts tidied, and the names of the others."""
    payload = {name: whole(value) if kinds.get(name) is int else value for name, value in payload.items()}
    expected = {name: ((int, float) if kinds.get(name) is float else kinds.get(name, str)) for name in payload}
    wrong = {name for name, value in payload.items() if value is not None and not isinstance(value, expected[name])}
    row = {name: None if name in wrong else value for name, value in payload.items()}
    return {name: tidied(name, value) if expected[name] is str else value for name, value in row.items()}, wrong


def expected_pin(payload: dict[str, Any]) -> tuple[dict[str, Any], set[str], bool]:
    row, lost = typed(payload, {"index": int, "downloaded": int})
    place, count, joined = row["save_location"], followers(row["follower_count"]), row["tag_list"]
    silver = {name: row[name] for name in ("title", "description", "poster_name", "category", "image_src")}
    silver["ind"] = row["index"]
    silver["follower_count"] = count
    silver["downloaded"] = {0: False, 1: True}.get(row["downloaded"])
    silver["save_location"] = place and place.removeprefix("Local save in ")
    silver["tag_list"] = joined and [tag for one in joined.split(",") if (tag := one.strip(" "))]
    lost |= {"follower_count"} if row["follower_count"] and count is None else set()
    lost |= {"downloaded"} if row["downloaded"] not in {None, 0, 1} else set()
    return silver, lost, is_no_id(row["index"])


def expected_geo(payload: dict[str, Any]) -> tuple[dict[str, Any], set[str], bool]:
    row, lost = typed(payload, {"ind": int, "latitude": float, "longitude": float})
    latitude, longitude, time = row["latitude"], row["longitude"], instant(row["timestamp"])
    is_outside = abs(latitude or 0) > 90 or abs(longitude or 0) > 180
    coordinates = None if latitude is None or longitude is None else [latitude, longitude]
    silver = {"ind": row["ind"], "country": row["country"], "coordinates": coordinates, "timestamp": time}
    lost |= {"timestamp"} if row["timestamp"] and time is None else set()
    return silver, lost, is_no_id(row["ind"]) or is_outside or is_out_of_time(time)


def expected_user(payload: dict[str, Any]) -> tuple[dict[str, Any], set[str], bool]:
    row, lost = typed(payload, {"ind": int, "age": int})
    joined = instant(row["date_joined"])
    name = " ".join(part for part in (row["first_name"], row["last_name"]) if part)
    silver = {"ind": row["ind"], "user_name": name or None, "age": row["age"], "date_joined": joined}
    lost |= {"date_joined"} if row["date_joined"] and joined is None else set()
    is_outside = row["age"] is not None and not 13 <= row["age"] <= 120
    return silver, lost, is_no_id(row["ind"]) or is_outside or is_out_of_time(joined)


def is_out_of_time(time: dt.datetime | None) -> bool:
    return time is not None and not dt.datetime(2005, 1, 1) <= time < END_OF_TOMORROW  # noqa: DTZ001 - as above


EXPECTED = {"pin": expected_pin, "geo": expected_geo, "user": expected_user}


@pytest.mark.parametrize("table", EXPECTED)
def test_a_payload_is_cleaned_and_validated_as_the_contract_says(refined: Any, table: str) -> None:
    payloads = many(PAYLOADS[table], 100)

    rows = refined(table, [json.dumps(one, ensure_ascii=number % 2 == 0) for number, one in enumerate(payloads)])

    assert len(rows) == len(payloads)
    for payload, row in zip(payloads, rows, strict=True):
        silver, lost, is_rejected = EXPECTED[table](payload)
        assert (row["_reject_reason"] is not None) == is_rejected, payload
        if not is_rejected:
            assert {name: row[name] for name in silver} == silver, payload
            assert set(row["_defects"]) == lost, payload


def reject_constant(name: str) -> None:
    raise ValueError(name)


def is_one_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=reject_constant), dict)
    except ValueError:
        return False


def test_a_payload_is_one_json_object_and_nothing_else_or_is_rejected(refined: Any) -> None:
    payloads = many(payloads_of_pieces, 400)
    assert 20 < sum(map(is_one_object, payloads)) < 380

    for payload, row in zip(payloads, refined("geo", payloads), strict=True):
        is_rejected = row["_reject_reason"] in ("unparsable JSON", "empty record")
        assert is_rejected != is_one_object(payload), payload
