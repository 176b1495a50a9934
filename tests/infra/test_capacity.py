"""The capacity model: its limits, its agreement with a day that is played, its constants, and its page."""

import json
import re
from itertools import pairwise

import pytest

from infra import capacity, simulation
from infra.capacity import Load, Part
from infra.errors import InfraError
from infra.sizes import size_named
from tests.conftest import PROJECT
from tests.infra.conftest import Tree

LOADS = {name: Load(rows) for name, rows in capacity.EXAMPLES.items()}
NOON = range(capacity.SECONDS_A_DAY // 2 - 1_800, capacity.SECONDS_A_DAY // 2 + 1_800)
WITHIN = 0.2


def cores_of(name: str) -> int:
    size = size_named(name)
    return capacity.NODE_CORES[size["stream_node_type"]] * size["stream_workers"]


def test_a_day_has_the_mean_of_the_load_and_one_peak_of_five_times_it() -> None:
    load = Load(86_400 * 100)
    rates = [simulation.rate_at(load, second) for second in range(0, 86_400, 10)]

    assert sum(rates) / len(rates) == pytest.approx(100, rel=0.01)
    assert max(rates) == pytest.approx(capacity.PEAK * 100, rel=0.03)
    assert rates.index(max(rates)) * 10 == 43_200


@pytest.mark.parametrize("name", LOADS)
def test_the_streams_latency_is_that_of_a_played_day(name: str) -> None:
    load, cores = LOADS[name], cores_of(name)
    batches = list(simulation.day_of_stream(load, cores, seed=1))

    rows, waited = sum(batch[1] for batch in batches), sum(batch[2] for batch in batches)
    assert rows == pytest.approx(load.rows_a_day, rel=0.05)
    expected = sum(
        simulation.rate_at(load, second) * capacity.stream_seconds(simulation.rate_at(load, second), cores) * 60
        for second in range(30, capacity.SECONDS_A_DAY, 60)
    )
    assert waited / rows == pytest.approx(expected / load.rows_a_day, rel=WITHIN)
    at_noon = [batch for batch in batches if int(batch[0]) in NOON]
    assert sum(b[2] for b in at_noon) / sum(b[1] for b in at_noon) == pytest.approx(
        capacity.stream_seconds(load.peak, cores), rel=WITHIN
    )


@pytest.mark.parametrize(("name", "vcpus"), [("medium", 1), ("large", 5), ("large", 6)])
def test_a_requests_time_is_that_of_a_played_day(name: str, vcpus: int) -> None:
    load = LOADS[name]
    noon = [seconds for now, seconds in simulation.day_of_requests(load, vcpus, seed=2) if int(now) in NOON]

    assert len(noon) > 1_000
    assert sum(noon) / len(noon) == pytest.approx(capacity.request_seconds(load.peak, vcpus), rel=WITHIN)


@pytest.mark.parametrize("name", LOADS)
def test_the_objects_are_those_of_a_played_day(name: str) -> None:
    load = LOADS[name]
    minutes = dict(simulation.day_of_objects(load, seed=3))

    expected = sum(
        capacity.objects_an_hour(load, simulation.rate_at(load, (minute + 0.5) * 60)) / 60 for minute in minutes
    )
    assert sum(minutes.values()) == pytest.approx(expected, rel=WITHIN)


def test_what_cannot_carry_a_load_is_said_in_one_line() -> None:
    with pytest.raises(InfraError, match="raise stream_workers"):
        capacity.stream_seconds(2 * capacity.STREAM_ROWS_PER_CORE, 2)
    with pytest.raises(InfraError, match="raise proxy_tasks_max"):
        capacity.request_seconds(capacity.PROXY_ROWS_PER_VCPU, 1)


@pytest.mark.parametrize("name", LOADS)
def test_every_part_but_those_that_dags_scale_carries_the_example_of_its_size(name: str) -> None:
    scaled_by_users = {"connector", "Kinesis"}  # their files hold what the demo needs
    too_small = [part for part in capacity.parts(LOADS[name], size_named(name)) if part.used > 1]

    assert {part.name for part in too_small} <= scaled_by_users


def test_the_first_limit_is_the_part_that_is_used_most() -> None:
    found = capacity.parts(LOADS["large"], size_named("large"))

    assert [part.used for part in found] == sorted((part.used for part in found), reverse=True)
    assert Part("a", "b", 3, 2, "c").used == 1.5


def test_more_rows_never_need_less() -> None:
    needs = [capacity.needed(Load(10.0**power)) for power in range(3, 11)]

    for fewer, more in pairwise(needs):
        assert all(more[key] >= fewer[key] for key in more)


@pytest.mark.parametrize("rows", [999, 1_000, 1_001])
def test_a_stream_gets_a_shard_more_when_its_records_need_one(rows: int) -> None:
    per_shard = capacity.SHARD_RECORDS * capacity.SHARE
    load = Load(rows / 1_000 * 2 * per_shard * capacity.TABLES * capacity.SECONDS_A_DAY / capacity.PEAK)

    assert capacity.needed(load)["shards"] == (3 if rows > 1_000 else 2)


def constants(tree: Tree) -> list[tuple[str, str, float]]:
    def found(path: str, name: str) -> float:
        match = re.search(rf"^{name}\b.*?= ([\d_.]+)", tree.text(path), re.MULTILINE)
        assert match, f"{path} has no {name}"
        return float(match[1].replace("_", ""))

    connector = tree.json("include/kafka/pinterest-s3-sink.json")["connectorConfiguration"]
    send = "plugins/pinterest_pipeline/kafka_rest/send.py"
    return [
        ("ROWS_PER_REQUEST", "BATCH_RECORDS", found(send, "BATCH_RECORDS")),
        ("API_REQUESTS", "RATE_LIMIT", found("infra/aws/rest.py", "RATE_LIMIT, BURST_LIMIT")),
        ("OBJECT_RECORDS", "flush.size", float(connector["flush.size"])),
        ("TRIGGER_SECONDS", "trigger_seconds", float(variable(tree)["stream"]["trigger_seconds"])),
        (
            "ROTATION_SECONDS",
            "rotate_schedule_interval_ms",
            int(variable(tree)["connector"]["rotate_schedule_interval_ms"]) / 1_000,
        ),
    ]


def variable(tree: Tree):
    example = tree.text("airflow_settings.example.yaml").partition("variable_value: |\n")[2]
    return json.loads(example)


def test_the_models_constants_are_those_of_the_code(tree: Tree) -> None:
    assert {mine: getattr(capacity, mine) for mine, _, _ in constants(tree)} == {
        mine: number for mine, _, number in constants(tree)
    }


def test_every_price_that_a_size_needs_is_there_and_dated() -> None:
    for name, load in LOADS.items():
        assert all(cost >= 0 for cost in capacity.monthly_costs(size_named(name), load).values())


def test_the_page_has_the_worked_examples() -> None:
    page = (PROJECT / "docs" / "capacity.md").read_text()

    assert capacity.report() in page, "python -m infra.capacity, and put it into docs/capacity.md"
