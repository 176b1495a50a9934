"""The Kinesis source's options, and how it gives up on a service that is not there: no service is needed."""

import socket
from typing import Any

import pytest

from pinterest_spark.errors import TransientSourceError
from pinterest_spark.kinesis import client as kinesis_client
from pinterest_spark.kinesis.client import KinesisClient, backoff_seconds
from pinterest_spark.kinesis.options import KinesisOptions, read_options
from pinterest_spark.kinesis.reader import where_to_begin
from pinterest_spark.kinesis.shards import Position

ARN = "arn:aws:kinesis:eu-west-1:000000000000:stream/posts"
JAVA = '{"at_timestamp": "06/25/2020 10:23:45 -0700", "format": "MM/dd/yyyy HH:mm:ss ZZZ"}'


def test_names_come_in_any_case_and_values_with_units() -> None:
    options = read_options({"STREAMNAME": "posts", "minfetchperiod": "1s", "fetchBufferSize": "2mb", "endpointUrl": ""})

    assert (options.stream_name, options.min_fetch_period, options.fetch_buffer_size) == ("posts", 1.0, 2 << 20)
    assert (options.initial, options.fail_on_data_loss, options.endpoint_url) == ("LATEST", True, "")


@pytest.mark.parametrize("count", [1, 10_000])
def test_the_limits_of_a_count_are_allowed(count: int) -> None:
    options = read_options({"streamName": "posts", "maxRecordsPerFetch": str(count)})

    assert options.max_records_per_fetch == count


def test_an_arn_names_the_stream_and_its_region() -> None:
    options = read_options({"streamARN": ARN})

    assert (options.stream_name, options.region, options.stream) == ("posts", "eu-west-1", {"StreamARN": ARN})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latest", "LATEST"),
        ("EARLIEST", "TRIM_HORIZON"),
        ("trim_horizon", "TRIM_HORIZON"),
        ('{"at_timestamp": 1593105825.5}', 1593105825500),
        ('{"at_timestamp": "2020-06-25T17:23:45Z"}', 1593105825000),
        ('{"at_timestamp": "2020-06-25T19:23:45.250+02:00"}', 1593105825250),
        (JAVA, 1593105825000),
        ('{"at_timestamp": "25.06.2020 17:23:45 UTC", "format": "dd.MM.yyyy HH:mm:ss z"}', 1593105825000),
    ],
)
def test_a_query_begins_where_initial_position_says(text: str, expected: str | int) -> None:
    assert read_options({"streamName": "posts", "initialPosition": text}).initial == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give either streamName or streamARN"),
        ({"streamName": "a", "streamARN": ARN}, "give either streamName or streamARN"),
        ({"streamName": "a,b"}, "a query reads one stream"),
        ({"streamName": "a", "awsAccessKey": "k"}, "awsAccessKey and awsSecretKey go together"),
        ({"streamName": "a", "endpoint": "http://x", "endpointUrl": "http://y"}, "two names of one option"),
        ({"streamName": "a", "roleArn": "r"}, "roleArn is an option of Databricks' own source only"),
        ({"streamName": "a", "minFetchPeriod": "199ms"}, "minFetchPeriod is '199ms': expected .* at least 200ms"),
        ({"streamName": "a", "maxFetchDuration": "10"}, "maxFetchDuration is '10'"),
        ({"streamName": "a", "maxRecordsPerFetch": "0"}, "expected a whole number from 1 to 10000"),
        ({"streamName": "a", "maxRecordsPerFetch": "10001"}, "expected a whole number from 1 to 10000"),
        ({"streamName": "a", "failOnDataLoss": "no"}, "expected true or false"),
        ({"streamName": "a", "initialPosition": "newest"}, "expected latest, earliest, trim_horizon or"),
        ({"streamName": "a", "initialPosition": '{"at_timestamp": "2020-06-25T10:00:00"}'}, "no offset from UTC"),
        ({"streamName": "a", "initialPosition": '{"at": 1}'}, "expected latest, earliest, trim_horizon or"),
        (
            {"streamName": "a", "initialPosition": '{"at_timestamp": "25-Jun", "format": "dd-MMM"}'},
            "the format has MMM; it may have yyyy",
        ),
    ],
)
def test_a_wrong_option_is_named_with_what_is_right(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_options(given)


def test_a_secret_is_in_no_message_and_no_text_of_the_options() -> None:
    given = {"streamName": "posts", "awsAccessKey": "key-id", "awsSecretKey": "s3cret", "colour": "red"}

    with pytest.raises(ValueError, match="there is no option colour") as caught:
        read_options(given)
    options = read_options({name: value for name, value in given.items() if name != "colour"})

    assert "s3cret" not in str(caught.value) + repr(options)


@pytest.mark.parametrize(
    ("position", "initial", "expected"),
    [
        pytest.param(Position("7", 9_000_000, 9_000_000, 1), "TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER", id="known"),
        pytest.param(Position("7", 1_500_000, 9_000_000, 1), "TRIM_HORIZON", "TRIM_HORIZON", id="about to expire"),
        pytest.param(Position(), "TRIM_HORIZON", "TRIM_HORIZON", id="unread, from the start"),
        pytest.param(Position(), 1_795_600_000_000, "AT_TIMESTAMP", id="unread, from a time"),
    ],
)
def test_a_shard_is_read_on_from_its_position(position: Position, initial: str | int, expected: str) -> None:
    where: dict[str, Any] = where_to_begin(position, initial, kept_since_ms=1_000_000)

    assert where["ShardIteratorType"] == expected


def test_a_service_that_is_not_there_is_given_up_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinesis_client, "RETRY_SECONDS", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        options = KinesisOptions("posts", region="us-east-1", endpoint_url=url, aws_access_key="k", aws_secret_key="s")
        client = KinesisClient(options)

        with pytest.raises(TransientSourceError, match=rf"describe_stream_summary on posts at {url} failed"):
            client.describe()

    assert client.counts["retries"] >= 1
    assert client.counts["unreachable"] == client.counts["calls"] == client.counts["retries"] + 1


def test_delays_grow_to_a_bound_and_never_vanish() -> None:
    delays = [[backoff_seconds(attempt) for _ in range(200)] for attempt in (0, 3, 20)]

    assert [max(some) <= longest for some, longest in zip(delays, (0.2, 1.6, 5.0), strict=True)] == [True] * 3
    assert min(map(min, delays)) >= 0.05
    assert len(set(delays[1])) > 100
