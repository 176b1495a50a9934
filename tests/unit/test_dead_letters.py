"""Dead letters of one task try: objects of a bounded size, each under a name of its own."""

import pytest

from pinterest_pipeline.common.records import DeadLetter
from pinterest_pipeline.lake.dead_letters import MAX_BUFFERED_CHARACTERS, MAX_BUFFERED_RECORDS, DeadLetterBox

FOLDER = "dead-letters/pinterest.pin/dt=2026-11-23"


class Store:
    bucket = "lake"

    def __init__(self):
        self.written = []

    def write_json_lines(self, key, rows):
        self.written.append((key, [row["key"] for row in rows]))
        return f"s3://lake/{key}"

    def names(self, prefix):
        return [name for name, _ in self.written if name.startswith(prefix)]

    def move(self, key, new_key):
        self.written = [(new_key if name == key else name, keys) for name, keys in self.written]


@pytest.fixture
def store():
    return Store()


def a_box(store, try_number=1):
    arguments = {"prefix": "/dead-letters/", "topic": "pinterest.pin", "day": "2026-11-23", "task": "run 1"}
    return DeadLetterBox(store, try_number=try_number, **arguments)


@pytest.fixture
def box(store):
    return a_box(store)


def add(box, count, payload="{}"):
    for number in range(count):
        box.add(DeadLetter(str(number), payload, "why"))


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        pytest.param(0, [], id="none, no object"),
        pytest.param(MAX_BUFFERED_RECORDS - 1, [MAX_BUFFERED_RECORDS - 1], id="one below the bound"),
        pytest.param(MAX_BUFFERED_RECORDS, [MAX_BUFFERED_RECORDS], id="at the bound"),
        pytest.param(MAX_BUFFERED_RECORDS + 1, [MAX_BUFFERED_RECORDS, 1], id="one above the bound"),
    ],
)
def test_objects_hold_a_bounded_number_of_dead_letters(store, box, count, sizes):
    add(box, count)
    box.flush()

    assert [len(keys) for _, keys in store.written] == sizes
    assert box.count == count


def test_each_object_of_a_try_has_the_next_number(store, box):
    add(box, 4 * MAX_BUFFERED_RECORDS + 1)
    box.flush()

    assert [name for name, _ in store.written] == [f"{FOLDER}/run_1.try1-{n}.json" for n in range(5)]
    assert box.uri == f"s3://lake/{FOLDER}/run_1.try1-"


def test_large_dead_letters_are_written_before_they_fill_the_memory(store, box):
    add(box, 2, payload="x" * (MAX_BUFFERED_CHARACTERS // 2))

    assert [keys for _, keys in store.written] == [["0", "1"]]


def test_after_an_object_was_written_the_bound_in_characters_counts_from_the_start(store, box):
    add(box, 2, payload="x" * (MAX_BUFFERED_CHARACTERS // 2))
    add(box, 2, payload="x" * (MAX_BUFFERED_CHARACTERS // 4))
    box.flush()

    assert [len(keys) for _, keys in store.written] == [2, 2]


def test_the_first_reason_is_reported(box):
    box.add(DeadLetter("1", "{}", "the root cause"))
    box.add(DeadLetter("2", "{}", "what followed"))

    assert box.first_reason == "the root cause"


def test_the_last_try_moves_the_objects_of_all_others_away_and_leaves_its_own_and_those_of_other_tasks(store):
    store.written = [(f"{FOLDER}/run_1.try{n}-{number}.json", []) for n in (1, 2, 10) for number in (0, 1)]
    store.written += [(f"{FOLDER}/run_11.try1-0.json", [])]
    last = a_box(store, try_number=10)
    add(last, 1)
    last.flush()

    assert last.supersede_earlier() == 5

    left = {name.removeprefix(FOLDER + "/") for name, _ in store.written if name.startswith(FOLDER)}
    assert left == {"run_1.try10-0.json", "run_11.try1-0.json"}
    assert "dead-letters-superseded/pinterest.pin/dt=2026-11-23/run_1.try2-1.json" in dict(store.written)
