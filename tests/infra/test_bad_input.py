"""What a user can do wrong is one line that names it, before anything is synthesized."""

import json
from pathlib import Path

import pytest

from infra import declared, sizes
from infra.errors import InfraError


def sizes_with(tmp_path: Path, **changed: object) -> Path:
    content = json.loads(sizes.FILE.read_text())
    content["small"] |= changed
    file = tmp_path / "sizes.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"brokers": 1}, "small.brokers is 1, expected a whole number of 2 to 30"),
        ({"brokers": 3}, "small.brokers is 3, expected a multiple of zones (2)"),
        ({"brokers": 32}, "small.brokers is 32, expected a whole number of 2 to 30"),
        ({"broker_storage_gb": 0}, "small.broker_storage_gb is 0, expected a whole number of 1 to 16384"),
        ({"broker_storage_gb": 16_385}, "small.broker_storage_gb is 16385"),
        ({"zones": 4}, "small.zones is 4, expected a whole number of 2 to 3"),
        ({"zones": True}, "small.zones is True"),
        ({"proxy_memory_mb": 512}, "proxy_memory_mb 512 and proxy_cpu 512 are no pair that Fargate has"),
        ({"proxy_tasks_min": 5}, "small.proxy_tasks_min is 5, expected at most proxy_tasks_max"),
        ({"mwaa_class": "mw1.tiny"}, "small.mwaa_class is 'mw1.tiny'"),
        ({"mwaa_workers_max": 26}, "small.mwaa_workers_max is 26"),
        ({"broker_type": "m7g.large"}, "small.broker_type is 'm7g.large'"),
        ({"colour": 1}, "small.colour is no setting of a size"),
    ],
)
def test_a_size_out_of_range_is_named(tmp_path: Path, changed: dict[str, object], line: str) -> None:
    with pytest.raises(InfraError) as raised:
        sizes.read_sizes(sizes_with(tmp_path, **changed))

    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_all_mistakes_of_a_size_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InfraError, match=r"brokers is 0.*zones is 9|zones is 9.*brokers is 0"):
        sizes.read_sizes(sizes_with(tmp_path, zones=9, brokers=0))


@pytest.mark.parametrize("brokers", [2, 30])
def test_a_size_at_its_limit_is_taken(tmp_path: Path, brokers: int) -> None:
    assert sizes.read_sizes(sizes_with(tmp_path, brokers=brokers))["small"]["brokers"] == brokers


def test_an_unknown_size_names_those_that_there_are() -> None:
    with pytest.raises(InfraError, match="There is no size 'tiny', only small, medium, large"):
        sizes.size_named("tiny")


@pytest.mark.parametrize("name", ["a" * 21, "Pinterest", "-a", "a-", "a_b", "1a", ""])
def test_a_name_that_a_service_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(InfraError, match=r"expected 1 to 20 of a-z"):
        sizes.require_name(name)


@pytest.mark.parametrize("name", ["a", "a" * 20, "pinterest-2"])
def test_a_name_that_every_service_takes_is_taken(name: str) -> None:
    assert sizes.require_name(name) == name


@pytest.mark.parametrize(("region", "lacks"), [("ap-southeast-6", "mwaa"), ("atlantis-1", "kafka, kafkaconnect")])
def test_a_region_without_a_service_is_refused(region: str, lacks: str) -> None:
    with pytest.raises(InfraError, match=lacks):
        sizes.require_region(region)


def test_a_region_with_all_services_is_taken() -> None:
    assert sizes.require_region("us-east-1") == "us-east-1"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("io.confluent.connect.s3.S3SinkConnector", "org.example.Sink", "connector.class is 'org.example.Sink'"),
        ('"authenticationType": "IAM"', '"authenticationType": "NONE"', "authenticationType is 'NONE'"),
        ("${bucket}", "${lake_bucket}", "no value for placeholder lake_bucket"),
    ],
)
def test_a_connector_file_that_the_templates_cannot_carry_is_refused(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    file = tmp_path / "sink.json"
    file.write_text((declared.INCLUDE / "kafka" / "pinterest-s3-sink.json").read_text().replace(old, new))

    with pytest.raises(InfraError, match="the templates cannot carry it") as raised:
        declared.connector(file)

    assert line in str(raised.value)


def test_a_value_that_the_variable_no_longer_has_is_named() -> None:
    with pytest.raises(InfraError, match=r"has no connector.colour"):
        declared.with_values(declared.variable(), {"connector.colour": "red"})
