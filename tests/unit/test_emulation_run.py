"""The pace of emulated posts: the rate is kept, and nothing is left out or counted wrong over any interruption."""

from collections import Counter

import pytest

from pinterest_pipeline.emulator.defects import DEFECTS
from pinterest_pipeline.emulator.plan import TABLES
from pinterest_pipeline.emulator.run import MOST_RECORDS_PER_SEND, added
from tests.unit.emulated_world import World


def each_once(world):
    return Counter({(table, post_id): 1 for table in TABLES for post_id in world.ids})


def test_shuffled_sends_every_row_exactly_once_and_says_that_nothing_is_left():
    world = World()

    result = world.emulation(rate=1000).run()

    assert world.rows() == each_once(world)
    assert (result["posts"], result["rows"], result["next_position"], result["exhausted"]) == (300, 900, 300, True)
    assert result["put"] == {"pin": 300, "geo": 300, "user": 300}
    assert result["bytes"] == sum(len(e.data) for e in world.sent)


@pytest.mark.parametrize("cut", [1, 149, 299, 300])
def test_a_run_that_goes_on_sends_the_rest_and_the_same_bytes(cut):
    whole, parts = World(), World()
    extras = {"duplicates": 0.2, "malformed": 0.2}
    whole.emulation(rate=1000, **extras).run()

    first = parts.emulation(rate=1000, count=cut, **extras).run()
    parts.emulation(rate=1000, start=first["next_position"], **extras).run()

    assert parts.sent == whole.sent


@pytest.mark.parametrize(("start", "posts"), [(298, 2), (299, 1), (300, 0), (301, 0)])
def test_a_start_at_the_end_sends_what_is_left(start, posts):
    world = World()

    result = world.emulation(start=start).run()

    assert (result["posts"], len(world.sent), result["exhausted"]) == (posts, 3 * posts, True)


def test_classic_draws_with_replacement_and_never_runs_out():
    world = World(size=50)

    result = world.emulation(mode="classic", rate=1000, count=400).run()

    drawn = Counter(int(e.key) for e in world.sent if e.table == "pin")
    assert (result["posts"], result["exhausted"], drawn.total()) == (400, False, 400)
    assert set(drawn) <= set(world.ids)
    assert 40 < len(drawn) <= 50
    assert max(drawn.values()) > 1


@pytest.mark.parametrize("mode", ["shuffled", "classic"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(mode):
    extras = {"mode": mode, "count": 200, "duplicates": 0.1, "malformed": 0.1, "late": 0.1, "reorder_window": 5}
    sent = []
    for seed in (7, 7, 8):
        world = World()
        world.emulation(seed=seed, rate=1000, **extras).run()
        sent.append(world.sent)

    assert sent[0] == sent[1]
    assert [e.data for e in sent[0]] != [e.data for e in sent[2]]


@pytest.mark.parametrize("rate", [0.5, 10, 333])
def test_posts_come_at_the_rate_each_at_a_moment_of_its_own(rate):
    world = World()

    result = world.emulation(rate=rate, count=100).run()

    moments = [at - 1000 for at, table, _ in world.calls if table == "pin"]
    assert 99 / rate <= result["seconds"] < 100 / rate
    assert all(k / rate <= at < (k + 1) / rate for k, at in enumerate(moments))
    assert len({round(at * rate % 1, 3) for at in moments}) > 50
    assert result["most_behind_seconds"] == 0


def test_a_run_that_goes_on_keeps_the_rate_from_its_own_start():
    world = World()

    result = world.emulation(rate=10, start=200, count=50).run()

    assert 4.9 <= result["seconds"] < 5
    assert world.calls[0][0] < 1000.1


def test_a_record_that_was_not_acknowledged_is_where_to_resume():
    world = World()
    world.fail_at = 4  # the second post's geo
    emulation = world.emulation(rate=10)

    with pytest.raises(ConnectionError):
        emulation.run()

    assert (emulation.next_position, emulation.resume_position) == (2, 1)


def test_slow_sending_gathers_posts_instead_of_losing_the_rate():
    world = World(send_seconds=0.05)

    result = world.emulation(rate=100, count=300).run()

    assert result["seconds"] < 4
    assert len(world.calls) < 90
    assert result["most_behind_seconds"] > 0.1


def test_no_sending_is_beyond_the_envelope_and_no_read_beyond_the_bound():
    world = World(size=2000, send_seconds=1.0)

    world.emulation(rate=5000).run()

    assert max(count for _, _, count in world.calls) <= MOST_RECORDS_PER_SEND
    assert sum(world.reads) == 2000
    assert max(world.reads) == 200
    assert world.rows() == each_once(world)


def test_a_duration_ends_the_run_and_the_next_one_goes_on():
    world = World()

    first = world.emulation(rate=10, duration_seconds=5).run()
    second = world.emulation(rate=10, start=first["next_position"]).run()

    assert 49 <= first["posts"] <= 50
    assert first["seconds"] <= 5
    assert first["posts"] + second["posts"] == 300
    assert world.rows() == each_once(world)


def test_a_stop_leaves_no_record_behind_and_says_where_to_go_on():
    world = World()
    world.stop_at = world.now + 10
    emulation = world.emulation(rate=10, late=0.3, reorder_window=20)

    first = emulation.run()
    assert emulation.was_stopped
    assert all(world.rows()[table, int(e.key)] == 1 for e in world.sent for table in TABLES)
    world.stop_at = None
    world.emulation(rate=10, start=first["next_position"], late=0.3, reorder_window=20).run()

    assert 98 <= first["posts"] <= 101
    assert world.rows() == each_once(world)


@pytest.mark.parametrize("fail_at", [0, 1, 2, 3, 50])
def test_after_an_error_the_resume_position_loses_nothing(fail_at):
    world = World()
    world.fail_at = fail_at
    emulation = world.emulation(rate=100, late=0.2, late_seconds=0.5, reorder_window=10, duplicates=0.1)
    with pytest.raises(ConnectionError):
        emulation.run()

    world.fail_at = None
    again = world.emulation(rate=100, start=emulation.resume_position, late=0.2, reorder_window=10, duplicates=0.1)
    total = added(emulation.summary(), again.run())

    assert set(world.rows()) == set(each_once(world))
    assert emulation.resume_position <= emulation.next_position
    assert sum(total["put"].values()) == len(world.sent)
    assert (total["start"], total["next_position"]) == (0, 300)


def test_duplicates_and_malformed_come_beside_the_row_and_are_counted():
    world = World(size=2000)

    result = world.emulation(rate=5000, duplicates=0.05, malformed=0.02).run()

    kinds = Counter(e.kind for e in world.sent)
    assert world.rows() == each_once(world)
    assert kinds["duplicate"] == result["duplicates"]
    assert kinds["malformed"] == sum(result["malformed"].values())
    assert 230 < result["duplicates"] < 370
    assert 80 < kinds["malformed"] < 160
    assert len(world.sent) == sum(result["put"].values()) == 6000 + kinds["duplicate"] + kinds["malformed"]
    rows = {(e.table, e.key): e.data for e in world.sent if e.kind == "row"}
    assert all(rows[e.table, e.key] == e.data for e in world.sent if e.kind == "duplicate")
    assert all(rows[e.table, e.key] != e.data for e in world.sent if e.kind == "malformed")
    assert set(result["malformed"]) == set(DEFECTS)


@pytest.mark.parametrize(("part", "count"), [(0, 0), (1, 900)])
def test_a_part_of_nothing_is_nothing_and_of_all_is_all(part, count):
    world = World()

    result = world.emulation(rate=5000, duplicates=part, malformed=part, late=part).run()

    assert (result["duplicates"], sum(result["malformed"].values())) == (count, count)
    assert result["late"] == (2700 if part else 0)


def test_reordered_records_fall_behind_by_the_window_at_most():
    world = World()

    result = world.emulation(rate=100, reorder_window=10).run()

    places = {}
    for place, emission in enumerate(world.sent):
        places.setdefault(emission.position, []).append(place)
    assert world.rows() == each_once(world)
    assert 700 < result["reordered"] < 900
    assert max(e.delay for e in world.sent) == 10
    assert [e.position for e in world.sent] != sorted(e.position for e in world.sent)
    assert max(max(found) - min(found) for found in places.values()) <= 3 * 11


def test_late_records_come_that_much_after_their_post():
    world = World()
    sent_at = {}
    emulation = world.emulation(rate=10, late=0.1, late_seconds=4)
    send = emulation._send
    emulation._send = lambda table, part: (
        send(table, part),
        sent_at.update({(e.table, e.position): world.now - 1000 for e in part}),
    )

    result = emulation.run()

    late = {(e.table, e.position): sent_at[e.table, e.position] for e in world.sent if e.is_late}
    assert result["late"] == len(late)
    assert 50 < len(late) < 130
    for (_, position), at in late.items():
        assert 3.9 <= at - position / 10 <= 5.1 or position > 260  # the last ones come when the run ends


def test_a_post_without_a_row_in_a_table_sends_the_others_and_is_counted():
    world = World(size=3)
    read = world.read_rows

    def without_geo(ids):
        return {**read(ids), "geo": {}}

    world.read_rows = without_geo

    result = world.emulation(rate=1000).run()

    assert (result["rows"], result["missing_rows"], result["put"]["geo"]) == (6, 3, 0)
