"""What the stages are given from outside: ranges of offsets, and the settings of a session."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pinterest_spark.lakehouse.offsets import OffsetRange, read_acknowledged
from pinterest_spark.session import SIZES, build_session, s3a_settings, settings_of


def sent(*offsets, **fields):
    times = {"sent_from": "2026-11-24T02:00:00+00:00", "sent_until": "2026-11-24T02:01:00+00:00"}
    return json.dumps({"pin": {**times, "offsets": offsets, **fields}})


WRONG = [
    pytest.param("{", "acknowledged", id="no JSON"),
    pytest.param('{"pins": []}', r"names \['pins'\]", id="unknown table"),
    pytest.param('{"pin": {"offsets": []}}', "sent_from", id="field missing"),
    pytest.param(sent([0, 0]), "acknowledged", id="last offset missing"),
    pytest.param(sent([0, 5, 4]), "no range", id="ends before start"),
    pytest.param(sent([-1, 0, 4]), "no range", id="partition -1"),
    pytest.param(sent([0, -1, 4]), "no range", id="offset -1"),
    pytest.param(sent([0, "0", 4]), "acknowledged", id="text"),
    pytest.param(sent([0, 0, 4], sent_from="yesterday"), "acknowledged", id="no time"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_ranges_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_acknowledged(text)


@pytest.mark.parametrize("text", ["", "{}", '{"pin": []}', '{"geo": null}'])
def test_no_ranges_are_no_error(text):
    assert read_acknowledged(text) == {"pin": [], "geo": [], "user": []}


def test_ranges_are_read():
    since = datetime(2026, 11, 24, 2, tzinfo=UTC)

    assert read_acknowledged(sent([2, 7, 7], [2, 9, 11]))["pin"] == [
        OffsetRange(2, first, last, since=since, until=since + timedelta(minutes=1))
        for first, last in ((7, 7), (9, 11))
    ]


def test_s3_is_reached_where_the_environment_says():
    settings = s3a_settings({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_DEFAULT_REGION": "us-east-1"})

    assert settings == {
        "spark.hadoop.fs.s3a.endpoint": "http://127.0.0.1:1",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
    }


def test_the_endpoint_of_s3_goes_before_the_general_one_and_https_stays_https():
    settings = s3a_settings({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "https://127.0.0.1:2"})

    assert settings["spark.hadoop.fs.s3a.endpoint"] == "https://127.0.0.1:2"
    assert settings["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "true"


def test_the_cloud_needs_no_endpoint_and_no_setting_holds_a_key():
    keys = {"AWS_ACCESS_KEY_ID": "an id", "AWS_SECRET_ACCESS_KEY": "a secret"}

    assert s3a_settings({"AWS_REGION": "eu-west-1", **keys}) == {"spark.hadoop.fs.s3a.endpoint.region": "eu-west-1"}


@pytest.mark.parametrize("size", SIZES)
def test_every_size_listens_on_loopback_only(size):
    settings = settings_of(SIZES[size], "/jars")

    assert settings["spark.driver.bindAddress"] == settings["spark.driver.host"] == "127.0.0.1"
    assert settings["spark.ui.enabled"] == "false"
    assert settings["spark.sql.session.timeZone"] == "UTC"


def test_a_python_worker_has_no_archive_to_read_again_before_each_task(spark):
    [path] = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.path).collect()

    assert [entry for entry in path if entry.endswith((".zip", ".jar"))] == []


def test_a_session_without_jars_is_refused_with_the_variable_to_set():
    with pytest.raises(ValueError, match="PINTEREST_SPARK_JARS"):
        build_session("x", environment={})
