"""Data contract, section 2: what each value becomes in silver."""

import datetime as dt

import pytest

NBSP, JOINER = "\u00a0", "\u200d"
SENTINELS = {
    "title": ["No Title Data Available", "Untitled"],
    "description": ["No description available Story format", "No description available"],
    "poster_name": ["User Info Error"],
    "tag_list": ["N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"],
    "image_src": ["Image src error."],
}
TEXTS = ["title", "description", "poster_name", "image_src", "category", "unique_id", "is_image_or_video"]

PIN_CASES = [  # column on the wire, value, column in silver, value
    *[(column, value, None) for column, values in SENTINELS.items() for value in values],
    *[(column, value, None) for column in TEXTS for value in ("", "  ", NBSP, "\n\t", None)],
    *[("title", value, value) for values in list(SENTINELS.values())[1:] for value in values],
    *[("category", value, value) for values in SENTINELS.values() for value in values],
    ("image_src", "Image src error", "Image src error"),
    ("title", "no title data available", "no title data available"),
    ("title", "No Title Data Available!", "No Title Data Available!"),
    ("title", " No  Title Data Available ", None),
    ("description", "No description available Story", "No description available Story"),
    ("poster_name", "  Jane \t  Doe\u3000", "Jane Doe"),
    ("description", f"cut at 180…{NBSP}", "cut at 180…"),
    ("description", 'a\n\nb | "c", d\r\n', 'a b | "c", d'),
    ("title", f"👩{JOINER}🎨 日本 · Ünï", f"👩{JOINER}🎨 日本 · Ünï"),
    ("title", "a\u0000b", "a b"),
    ("title", f"a{NBSP}b", "a b"),
    ("title", "a b", "a b"),
    ("title", 7, "7"),
    ("title", True, "true"),
    ("title", "[not] a list", "[not] a list"),
    ("tag_list", "a,b,c", ["a", "b", "c"]),
    ("tag_list", " a , b b ,,c,", ["a", "b b", "c"]),
    ("tag_list", None, None),
    ("downloaded", 1, True),
    ("downloaded", 0, False),
    ("downloaded", None, None),
    ("save_location", "Local save in /data/art", "/data/art"),
    ("save_location", "/data/art", "/data/art"),
]
FOLLOWERS = [
    ("985k", 985_000), ("15M", 15_000_000), ("217", 217), ("0", 0), ("12K", 12_000), ("3B", 3_000_000_000),
    ("2b", 2_000_000_000), ("1.2M", 1_200_000), ("1,234", 1234), ("1,234.5k", 1_234_500), ("1.2345k", 1235),
    ("1.2344k", 1234), ("0.5", 1), (".5k", 500), ("1.0005k", 1001), (" 7 ", 7), ("7 k", 7000), (5, 5),
    ("7".rjust(64, "0"), 7), ("User Info Error", None), ("", None), (None, None),
]  # fmt: skip
NO_FOLLOWERS = [
    "12 thousand", "-5", "1.2.3k", "5kk", "k", ".", ",", "1e3", "٣", "1.k", "99999999999999999999B", "9" * 65,
    "9" * 200_000 + "x", "user info error",
]  # fmt: skip


def identity(value: object) -> str:
    return repr(value)[:40]


@pytest.fixture(scope="module")
def pins(refined, payload_of):
    cases = [*PIN_CASES, *(("follower_count", value, None) for value, _ in FOLLOWERS)]
    cases += [("follower_count", value, None) for value in NO_FOLLOWERS]
    rows = refined("pin", [payload_of["pin"](1, **{column: value}) for column, value, _ in cases])
    return {(column, repr(value)): row for (column, value, _), row in zip(cases, rows, strict=True)}


@pytest.mark.parametrize(("column", "value", "expected"), PIN_CASES, ids=identity)
def test_a_pin_column_is_cleaned(pins, column, value, expected):
    row = pins[column, repr(value)]

    assert row[column] == expected
    assert row["_reject_reason"] is None
    assert row["_defects"] == []


@pytest.mark.parametrize(("value", "expected"), FOLLOWERS, ids=identity)
def test_a_follower_count_is_a_whole_number(pins, value, expected):
    row = pins["follower_count", repr(value)]

    assert row["follower_count"] == expected
    assert row["_defects"] == []


@pytest.mark.parametrize("value", NO_FOLLOWERS, ids=identity)
def test_a_follower_count_that_is_no_number_keeps_its_row_and_is_a_defect(pins, value):
    row = pins["follower_count", repr(value)]

    assert row["follower_count"] is None
    assert row["_reject_reason"] is None
    assert row["_defects"] == ["follower_count"]


def test_a_sentinel_clears_its_own_column_only(refined, payload_of):
    story = {column: values[0] for column, values in SENTINELS.items()}
    swapped = {"title": "User Info Error", "poster_name": "No Title Data Available"}

    cleared, kept = refined("pin", [payload_of["pin"](1, **story, category="art"), payload_of["pin"](2, **swapped)])

    assert {name for name in cleared if cleared[name] is not None} >= {"ind", "category"}
    assert all(cleared[column] is None for column in SENTINELS)
    assert (kept["title"], kept["poster_name"]) == ("User Info Error", "No Title Data Available")


def test_silver_has_the_contracts_columns_in_order(spark):
    from pinterest_spark.rows.rules import refine
    from pinterest_spark.rows.schemas import SILVER

    empty = spark.createDataFrame([], "_payload string, _arrived_at timestamp, _shard string")

    for table, schema in SILVER.items():
        cleaned = refine(empty, table)
        plain = [field for field in cleaned.schema if not field.name.startswith("_")]
        assert [(f.name, f.dataType.simpleString()) for f in plain] == [
            (f.name, f.dataType.simpleString()) for f in schema
        ]
        assert {"_payload", "_arrived_at", "_shard"} <= set(cleaned.columns)


def test_a_geo_row_has_its_coordinates_and_its_instant(refined, payload_of):
    geo = payload_of["geo"]
    whole, fraction, no_latitude, no_longitude, nothing = refined(
        "geo",
        [
            geo(1, country=" Cote  d'Ivoire "),
            geo(2, timestamp="2020-05-06T07:08:09.25"),
            geo(3, latitude=None),
            geo(4, longitude=None),
            '{"ind": 5}',
        ],
    )

    assert (whole["ind"], whole["country"], whole["coordinates"]) == (1, "Cote d'Ivoire", [1.5, -2.5])
    assert whole["timestamp"] == dt.datetime(2020, 5, 6, 7, 8, 9)  # noqa: DTZ001 - Spark returns naive UTC
    assert fraction["timestamp"].microsecond == 250_000
    assert no_latitude["coordinates"] is no_longitude["coordinates"] is None
    assert (nothing["country"], nothing["timestamp"], nothing["_reject_reason"]) == (None, None, None)


def test_a_user_is_named_by_what_is_known(refined, payload_of):
    user = payload_of["user"]
    rows = refined(
        "user",
        [user(1, first_name=" Ada  Maria", last_name="Byron "), user(2, first_name=None), user(3, last_name=" "),
         user(4, first_name="", last_name=None, age=None)],
    )  # fmt: skip

    assert [row["user_name"] for row in rows] == ["Ada Maria Byron", "Byron", "Ada", None]
    assert [row["age"] for row in rows] == [30, 30, 30, None]
