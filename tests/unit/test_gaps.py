"""Which offsets bronze lacks of Kafka, and what is said of them."""

import base64
from pathlib import Path

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.offsets import Bounds
from pinterest_pipeline.dag.gap_check import Lake, check_gaps, kafka_of
from pinterest_pipeline.kafka_rest.consumer import SILENT_POLLS, Proof
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from pinterest_pipeline.lake.gaps import Kafka, Place, check_table, on_its_way, problem
from tests.unit.scripted_kafka_rest import Answer

TOPIC = "pinterest.pin"
AUDIT = Path(__file__).resolve().parents[2] / "include" / "sql" / "audit"


@pytest.fixture
def hook(proxy):
    return KafkaRestHook(max_attempts=1)


def bronze(last, partition=0, missing=(), generation="", first=0, more=0):
    size = sum(end - begin + 1 for begin, end in missing)
    return {
        "topic": TOPIC, "generation": generation, "partition": partition, "first_offset": first, "last_offset": last,
        "missing": [list(one) for one in missing], "missing_offsets": size + more,
    }  # fmt: skip


def kafka(end=None, acknowledged=None, seen=0, generation="", beginning=0):
    return Kafka(
        TOPIC, generation,
        bounds={} if end is None else {0: Bounds(beginning, end)},
        acknowledged={} if acknowledged is None else {0: acknowledged},
        seen={Place(TOPIC, generation, 0): seen} if seen else {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "told", "missing", "pending"),
    [
        pytest.param(bronze(499), kafka(500), (), 0, id="all is there"),
        pytest.param(bronze(599, missing=[(300, 499)]), kafka(500, 599), ((300, 499),), 0, id="between"),
        pytest.param(bronze(599), kafka(500, 599), (), 0, id="what the run sent"),
        pytest.param(bronze(299), kafka(300, 499), ((300, 499),), 0, id="what the run sent is not there"),
        pytest.param(bronze(299), kafka(None, 499), ((300, 499),), 0, id="a proxy that does not tell"),
        pytest.param(bronze(299), kafka(500), (), 200, id="perhaps on its way"),
        pytest.param(bronze(298), kafka(500, seen=300), ((299, 299),), 200, id="known to an earlier run"),
        pytest.param(bronze(299), kafka(500, seen=500), ((300, 499),), 0, id="known to an earlier run, all of it"),
        pytest.param(bronze(499, first=200), kafka(500, beginning=0), (), 0, id="from before the lake"),
        pytest.param(bronze(299), kafka(500, 499, generation="2"), (), 0, id="another generation"),
        pytest.param(bronze(9), kafka(5, seen=9), (), 0, id="offsets that went back"),
    ],
)
def test_what_bronze_lacks(found, told, missing, pending):
    [one, *_] = check_table("pin", [found], told)

    assert (one.missing, one.pending) == (missing, pending)


@pytest.mark.parametrize(
    ("bounds", "missing"), [(Bounds(7, 10), ((7, 9),)), (Bounds(10, 10), ()), (Bounds(0, 0), ())], ids=str
)
def test_a_partition_of_which_bronze_has_nothing_lacks_what_kafka_still_has(bounds, missing):
    told = Kafka(TOPIC, "", {0: Bounds(0, 5), 1: bounds}, {}, {Place(TOPIC, "", 1): 10})

    [_, other] = check_table("pin", [bronze(4)], told)

    assert (other.place.partition, other.missing, other.last_offset) == (1, missing, None)


def test_a_new_generation_need_not_have_what_an_earlier_one_has():
    assert [one.missing for one in check_table("pin", [bronze(4)], kafka(80, seen=80, generation="2"))] == [()]


@pytest.mark.parametrize(
    ("known", "left"),
    [
        pytest.param([], 6, id="none"),
        pytest.param([(12, 12)], 5, id="one"),
        pytest.param([(30, 31), (12, 12)], 3, id="both that are named"),
        pytest.param([(3, 4), (12, 12), (30, 31)], 1, id="an older one"),
        pytest.param([(3, 5), (10, 40)], 0, id="all, and more"),
    ],
)
def test_known_gaps_are_no_longer_missing(known, left):
    [one] = check_table("pin", [bronze(99, missing=[(12, 12), (30, 31)], more=3)], kafka())

    assert one.without(known).missing_offsets == left


def test_a_gap_is_named_with_its_place_its_objects_and_what_to_do():
    [one] = check_table("pin", [bronze(599, 2, [(300, 499), (510, 510)], "2026")], kafka())
    folder = f"topics-2026/{TOPIC}/dt=2026-11-25/{TOPIC}"
    objects = [f"{folder}+2+0000000300.json.gz", f"{folder}+2+0000000500.json.gz", f"{folder}+1+0000000300.json.gz"]

    said = problem(one, [*objects, f"{TOPIC}/dt=2026-11-25/{TOPIC}+2+0000000300.json.gz", "notes"])

    assert said == (
        "pin: 201 offsets of topic pinterest.pin, generation 2026, partition 2 are in Kafka and not in bronze, the "
        f"first is 300 (300-499, 510), {objects[0]} cannot be read: docs/runbook.md, section “Offsets are missing "
        "between Kafka and bronze”."
    )


def test_what_may_be_on_its_way_is_said():
    [one] = check_table("pin", [bronze(299)], kafka(500))

    assert on_its_way(one).startswith("pin: 200 offsets of topic pinterest.pin, partition 0 were in Kafka as")


class Partition:
    """Records of a partition, read in pieces; ``silent`` polls bring nothing."""

    def __init__(self, *offsets, piece=4):
        self.offsets, self.piece, self.position, self.polls = offsets, piece, 0, 0

    def read_from(self, offset):
        self.polls += 1
        self.position = self.position if offset is None else offset
        read = [one for one in self.offsets if one >= self.position][: self.piece]
        self.position = read[-1] + 1 if read else self.position
        return read


@pytest.mark.parametrize(
    ("offsets", "ranges", "empty"),
    [
        pytest.param([4, 6], [(5, 5)], [(5, 5)], id="a marker"),
        pytest.param([4, 5, 6], [(5, 5)], [], id="a record"),
        pytest.param([4, 9], [(5, 6), (8, 8)], [(5, 6), (8, 8)], id="compacted"),
        pytest.param([4, 7, 9], [(5, 8)], [], id="a record within"),
        pytest.param([4], [(5, 5)], [(5, 5)], id="the last offset"),
        pytest.param([], [(5, 5)], [], id="nothing comes"),
        pytest.param([9], [(5, 6)], [(5, 6)], id="a later record alone"),
        pytest.param([1], [(0, 0)], [(0, 0)], id="the first offset"),
        pytest.param(range(0, 40, 2), [(n, n) for n in range(1, 39, 2)], [(n, n) for n in range(1, 39, 2)], id="many"),
        pytest.param([*range(20), *range(21, 40)], [(3, 3), (20, 20), (30, 30)], [(20, 20)], id="both kinds"),
    ],
)
def test_a_range_is_empty_only_if_kafka_shows_it(offsets, ranges, empty):
    assert list(Proof(Partition(*offsets).read_from).of(ranges)) == empty


def test_a_whole_partition_is_read_once_for_many_gaps_and_no_more_than_that():
    partition = Partition(*range(0, 4000, 2), piece=500)

    assert len(list(Proof(partition.read_from).of([(n, n) for n in range(1, 3998, 2)]))) == 1999
    assert partition.polls <= 12
    endless = Partition(*range(0, 40_000, 2), piece=1)
    assert len(list(Proof(endless.read_from).of([(n, n) for n in range(1, 39_998, 2)]))) < 200
    assert endless.polls == 200
    assert SILENT_POLLS > 1


def record(offset):
    value = base64.b64encode(b"{}").decode()
    return {"topic": TOPIC, "key": None, "value": value, "partition": 2, "offset": offset}


def test_the_proxys_consumer_is_asked_and_deleted(proxy, hook):
    proxy.script = [
        Answer({"instance_id": "x", "base_uri": "http://inside:8082/consumers/x"}), Answer(b"", 204), Answer(b"", 204),
        Answer([]), Answer([record(4)]), Answer([record(6)]), Answer(b"", 204),
    ]  # fmt: skip

    assert hook.empty_ranges(TOPIC, 2, [(5, 5)]) == [(5, 5)]

    created, assigned, positioned, *reads, deleted = proxy.asked
    instance = deleted.path
    assert created.path == "/gate/v1/consumers/pinterest-gap-check"
    assert (assigned.path, positioned.path) == (f"{instance}/assignments", f"{instance}/positions")
    assert b'"offset": 4' in positioned.body
    assert {one.headers["accept"] for one in reads} == {"application/vnd.kafka.binary.v2+json"}
    assert deleted.method == "DELETE"


def test_a_proxy_without_consumers_is_a_permanent_error(proxy, hook):
    proxy.script = [Answer({"error_code": 404, "message": "HTTP 404 Not Found"}, 404)]

    with pytest.raises(PermanentError, match="reading topic t, partition 0"):
        hook.empty_ranges("t", 0, [(5, 5)])


class Warehouse:
    """The tables of the gap check: known gaps and earlier next offsets."""

    def __init__(self, known=(), seen=()):
        self.known, self.seen, self.recorded = known, seen, []

    def get_records(self, sql, parameters):
        assert parameters["topics"] == [TOPIC]
        return self.known if "known_gaps" in sql else self.seen

    def run(self, sql, parameters):
        self.recorded.append((("known_gap" if "INTO audit.known_gaps" in sql[0] else "offsets"), parameters))


@pytest.mark.parametrize(
    ("answers", "known", "problems"),
    [
        pytest.param([[record(299)], [record(500)]], (), 0, id="no record there"),
        pytest.param([[record(299), record(300)]], (), 1, id="records there"),
        pytest.param(None, (), 1, id="a proxy that cannot be asked"),
        pytest.param(None, [(TOPIC, "", 2, 300, 499)], 0, id="known"),
        pytest.param(None, [(TOPIC, "", 1, 300, 499), (TOPIC, "2", 2, 300, 499)], 1, id="another gap is known"),
    ],
)
def test_a_gap_is_a_problem_unless_it_is_known_or_kafka_has_no_record(
    proxy, hook, monkeypatch, answers, known, problems
):
    from pinterest_pipeline.kafka_rest import hook as module

    monkeypatch.setattr(module, "KafkaRestHook", lambda: hook)
    refused = [Answer({"error_code": 403, "message": "no"}, 403)]
    reads = [Answer({"instance_id": "x"}), *[Answer(b"", 204)] * 2, *map(Answer, answers or ()), Answer(b"", 204)]
    proxy.script = reads if answers else refused
    sent = {"topic": TOPIC, "partitions": [{"partition": 2, "first_offset": 500, "last_offset": 599}]}
    lake = Lake({"pin": [bronze(599, 2, [(300, 499)])]}, {"pin": []}, "2026-11-25T10:00:00+00:00")
    warehouse = Warehouse(known)

    found = check_gaps(warehouse, AUDIT, lake, [kafka_of(sent, {}, "topics")], run="dag.run")

    assert len(found) == problems
    [(_, row)] = [one for one in warehouse.recorded if one[0] == "offsets"]
    assert row["missing_offsets"] == (200 if problems else 0)
    noted = [parameters for kind, parameters in warehouse.recorded if kind == "known_gap"]
    assert [(one["first_offset"], one["noted_by"]) for one in noted] == (
        [(300, "dag.run")] if answers and not problems else []
    )
