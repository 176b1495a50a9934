"""What cannot be used is rejected with its reason; what is only odd is kept and reported."""

import pytest

ARRIVED = "2026-11-24 10:00:00"  # tomorrow ends with 2026-11-25
REJECTED = [
    pytest.param("pin", None, "empty record", id="tombstone"),
    pytest.param("pin", " ", "empty record", id="blank"),
    pytest.param("pin", '{"index": 1', "unparsable JSON", id="truncated"),
    pytest.param("pin", '{"index": 1, "title": "ab', "unparsable JSON", id="truncated in a text"),
    pytest.param("pin", "hello", "unparsable JSON", id="no JSON"),
    pytest.param("pin", '[{"index": 1}]', "unparsable JSON", id="array"),
    pytest.param("pin", "7", "unparsable JSON", id="number"),
    pytest.param("pin", "null", "unparsable JSON", id="null"),
    pytest.param("pin", '{"index": 1} x', "unparsable JSON", id="trailing text"),
    pytest.param("pin", '{"index": 1}{"index": 2}', "unparsable JSON", id="two objects"),
    pytest.param("pin", '{"index": 1}, {"index": 2}', "unparsable JSON", id="two objects with a comma"),
    *(
        pytest.param("geo", payload, "unparsable JSON", id=name)
        for name, payload in {
            "two objects with a tab": '{"ind": 1}\t{"ind": 2}',
            "two objects with a line end": '{"ind": 1}\r\n{"ind": 2}',
            "one brace too many": '{"ind": 1}}',
            "text and a brace": '{"ind": 1} x}',
            "an object and an end of the array": '{"ind": 1}, {"_end": "x"}]',
            "closes an array around it": '{"ind": 1}]',
            "closes an array and opens another": '{"ind": 1}], [{"ind": 2}',
            "a blank that JSON has not": '{"ind": 1}\u00a0',
        }.items()
    ),
    pytest.param("pin", "{'index': 1}", "unparsable JSON", id="single quotes"),
    pytest.param("pin", "{index: 1}", "unparsable JSON", id="bare key"),
    pytest.param("geo", '{"ind": 1, "latitude": NaN}', "unparsable JSON", id="NaN"),
    pytest.param("pin", "{}", "no index", id="no id"),
    pytest.param("pin", '{"index": null}', "no index", id="null id"),
    pytest.param("geo", '{"index": 1}', "record of another table", id="another table's id"),
    pytest.param("user", '{"ind": 1, "latitude": 1.5, "country": "Chad"}', "record of another table", id="geo as user"),
    pytest.param("geo", '{"ind": 1, "first_name": null}', "record of another table", id="user as geo, nothing known"),
    pytest.param("pin", '{"ind": 1, "timestamp": "2020-01-01T00:00:00"}', "record of another table", id="geo as pin"),
    pytest.param("pin", '{"Index": 1}', "no index", id="wrong case"),
    pytest.param("pin", '{"index": "1"}', "wrong type in index", id="text id"),
    pytest.param("pin", '{"index": 1.5}', "wrong type in index", id="broken id"),
    pytest.param("geo", '{"ind": 30.5}', "wrong type in ind", id="half an id"),
    pytest.param("geo", '{"ind": 2, "ind": "x"}', "wrong type in ind", id="id twice, the last is text"),
    pytest.param("geo", '{"ind": 2, "ind": null}', "no ind", id="id twice, the last is null"),
    pytest.param("geo", '{"ind": -1}', "ind below 0", id="id below 0"),
    pytest.param("user", '{"ind": true}', "wrong type in ind", id="boolean id"),
    pytest.param("user", '{"ind": {"a": 1}}', "wrong type in ind", id="object id"),
    pytest.param("user", '{"ind": 9223372036854775808}', "wrong type in ind", id="id beyond bigint"),
    pytest.param("geo", '{"ind": 1, "latitude": 90.000001}', "latitude outside -90..90", id="latitude over"),
    pytest.param("geo", '{"ind": 1, "latitude": -90.000001}', "latitude outside -90..90", id="latitude under"),
    pytest.param("geo", '{"ind": 1, "longitude": 180.000001}', "longitude outside -180..180", id="longitude over"),
    pytest.param("geo", '{"ind": 1, "longitude": -180.000001}', "longitude outside -180..180", id="longitude under"),
    pytest.param("user", '{"ind": 1, "age": 12}', "age outside 13..120", id="age under"),
    pytest.param("user", '{"ind": 1, "age": 121}', "age outside 13..120", id="age over"),
    pytest.param("geo", '{"ind": 1, "timestamp": "2004-12-31T23:59:59"}', "timestamp outside 2005..tomorrow",
                 id="2004"),
    pytest.param("geo", '{"ind": 1, "timestamp": "2026-11-26T00:00:00"}', "timestamp outside 2005..tomorrow",
                 id="the day after tomorrow"),
    pytest.param("user", '{"ind": 1, "date_joined": "2026-11-26T00:00:00"}', "date_joined outside 2005..tomorrow",
                 id="joins the day after tomorrow"),
]  # fmt: skip
KEPT = [
    pytest.param("geo", '{"ind": 1, "latitude": 90, "longitude": 180}', [], id="north-east limit"),
    pytest.param("geo", '{"ind": 1, "latitude": -90.0, "longitude": -180.0}', [], id="south-west limit"),
    pytest.param("user", '{"ind": 1, "age": 13}', [], id="13"),
    pytest.param("user", '{"ind": 1, "age": 120}', [], id="120"),
    pytest.param("geo", '{"ind": 1, "timestamp": "2005-01-01T00:00:00"}', [], id="2005"),
    pytest.param("geo", '{"ind": 1, "timestamp": "2026-11-25T23:59:59"}', [], id="tomorrow's last second"),
    pytest.param("geo", '{"ind": 0}', [], id="post 0, everything unknown"),
    pytest.param("geo", '{"ind": 2, "country": null, "age": 30}', [], id="own columns, and one of another table"),
    pytest.param("geo", '{"ind": 3, "latitude": "x", "age": 30}', ["latitude"], id="own column, but wrong"),
    pytest.param("geo", '{"ind": 4, "country": "", "age": 30}', [], id="own column, but blank"),
    pytest.param("pin", '{"index": 9223372036854775807, "colour": {"a": ["}{", "},"]}}', [], id="unknown key"),
    pytest.param("pin", ' {"index": 1} ', [], id="blanks around"),
    pytest.param("geo", '{"ind": 1, "timestamp": "soon"}', ["timestamp"], id="no date"),
    pytest.param("geo", '{"ind": 1, "timestamp": "2020-02-30T00:00:00"}', ["timestamp"], id="30 February"),
    *(
        pytest.param("geo", f'{{"ind": 1, "timestamp": "2020-01-01{rest}"}}', ["timestamp"], id=rest or "a date alone")
        for rest in ("", "T00:00", "T00:00:00 Z", "T00:00:00.", "T00:00:00.1234567890", "T00:00:00+25:00", "T24:00:00")
    ),
    *(
        pytest.param("geo", f'{{"ind": 1, "timestamp": "2020-01-01{rest}"}}', [], id=rest)
        for rest in ("T00:00:00Z", "T00:00:00+05:00", " 00:00:00", "T00:00:00.123456789", " 00:00:00.5-03:30")
    ),
    pytest.param("user", '{"ind": 1.0, "age": 3e1}', [], id="whole numbers with a point or an exponent"),
    pytest.param("geo", '{"ind": "x", "ind": 1}', [], id="id twice, the last is right"),
    pytest.param("geo", '{"ind": 1, "country": {"a": 1}, "country": "x"}', [], id="text twice, the last is right"),
    pytest.param("geo", '{"ind": 1, "country": "x", "country": [1]}', ["country"], id="text twice, the last is wrong"),
    pytest.param("geo", '{"ind": 1, "ind": 1, "country": "},"}', [], id="id twice, a brace and a comma in a text"),
    pytest.param("geo", '{"ind": 1, "x": {"a": 1, "a": 2}, "country": "{"}', [], id="unknown key with a key twice"),
    pytest.param("user", '{"ind": 1, "date_joined": 20160101}', ["date_joined"], id="number for a date"),
    pytest.param("geo", '{"ind": 1, "latitude": "1.5"}', ["latitude"], id="text for a number"),
    pytest.param("user", '{"ind": 1, "age": "30"}', ["age"], id="text for an age"),
    pytest.param("user", '{"ind": 1, "age": 30.5}', ["age"], id="broken age"),
    pytest.param("geo", '{"ind": 1, "country": {"name": "Korea"}}', ["country"], id="object for a text"),
    pytest.param("pin", '{"index": 1, "title": ["a"], "downloaded": true}', ["title", "downloaded"], id="two at once"),
    pytest.param("pin", '{"index": 1, "downloaded": 2}', ["downloaded"], id="flag of 2"),
]


@pytest.fixture(scope="module")
def validated(refined):
    """Every case of this module, validated in one go."""
    found = {}
    for table in ("pin", "geo", "user"):
        payloads = [case.values[1] for case in [*REJECTED, *KEPT] if case.values[0] == table]
        found |= {(table, row["_payload"]): row for row in refined(table, payloads, arrived_at=ARRIVED)}
    return found


@pytest.mark.parametrize(("table", "payload", "reason"), REJECTED)
def test_a_row_that_cannot_be_used_is_rejected_with_its_reason(validated, table, payload, reason):
    row = validated[table, payload]

    assert row["_reject_reason"] == reason
    assert row["_defects"] == []


@pytest.mark.parametrize(("table", "payload", "defects"), KEPT)
def test_a_row_that_can_be_used_is_kept_and_its_defects_are_named(validated, table, payload, defects):
    row = validated[table, payload]

    assert row["_reject_reason"] is None
    assert sorted(row["_defects"]) == sorted(defects)
    assert all(row[name] is None for name in defects if name in row)


def test_tomorrow_is_the_day_after_the_record_arrived_whatever_the_clock_says(refined):
    payload = '{"ind": 1, "timestamp": "2019-03-02T12:00:00"}'

    [early] = refined("geo", [payload], arrived_at="2019-02-28 23:59:59")
    [late] = refined("geo", [payload], arrived_at="2019-03-01 00:00:00")

    assert early["_reject_reason"] == "timestamp outside 2005..tomorrow"
    assert late["_reject_reason"] is None
