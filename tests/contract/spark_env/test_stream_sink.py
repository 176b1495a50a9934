"""The sink on a real PostgreSQL: whatever is delivered twice, late, in any order or at once, a record counts once."""

import random
import threading

import psycopg
import pytest

from pinterest_spark import postgres
from pinterest_spark.errors import StageError
from pinterest_spark.stream import sink as stream_sink
from pinterest_spark.stream import upkeep as stream_upkeep
from pinterest_spark.stream.control import Control
from pinterest_spark.stream.sink import StreamSink
from pinterest_spark.stream.statements import JOIN_LOCK
from pinterest_spark.stream.upkeep import Upkeep
from tests.support.pooler import Pooler
from tests.support.stream import ARRIVED, SHARD, checkpoint, record, validated, warehouse_of

SUMS = "SELECT sum(record_count), sum(row_count), sum(duplicate_count), sum(quarantined_count) FROM stream.progress"


@pytest.fixture
def warehouse(stand_ins):
    with warehouse_of(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as one:
        yield one


def test_every_value_arrives_as_it_was(warehouse):
    hard = "tab\t line\nback\\slash “quotes” {a,b} \\N NULL 日本 👩‍🎨 …\u00a0"
    pin = record(
        7, 2**130, title=hard, follower_count=15_000_000_000, tag_list=[hard, "", "b"], downloaded=False,
        category=None, defects=["title", "category"],
    )  # fmt: skip
    geo = record(7, 1, country="Chad", coordinates=[-90.0, 179.123456789], timestamp=ARRIVED)

    warehouse.sink("pin").commit(checkpoint(), 0, validated("pin", pin))
    warehouse.sink("geo").commit(checkpoint(), 0, validated("geo", geo, record(8, 2)))

    assert warehouse.rows(
        "SELECT title, follower_count, tag_list, downloaded, category, stream_sequence, ingested_at FROM stream.pin"
    ) == [(hard, 15_000_000_000, [hard, "", "b"], False, None, 2**130, ARRIVED)]
    assert warehouse.rows("SELECT coordinates, timestamp FROM stream.geo ORDER BY ind") == [
        ([-90.0, 179.123456789], ARRIVED), (None, None),
    ]  # fmt: skip
    assert warehouse.one("SELECT defects FROM stream.progress WHERE query = 'stream_pin'") == {
        "title": 1, "category": 1,
    }  # fmt: skip


def test_the_newest_record_of_a_key_wins_within_a_batch_and_against_the_table(warehouse):
    sink, one = warehouse.sink("user"), checkpoint()
    first = validated(
        "user",
        record(1, 10, later=1, user_name="newest"), record(1, 12, user_name="later number, earlier arrival"),
        record(2, 9, user_name="smaller number"), record(2, 10, user_name="greater number"),
        record(3, 5, later=9, user_name="kept"),
    )  # fmt: skip
    second = validated(
        "user",
        record(1, 11, later=1, user_name="newer"), record(2, 8, user_name="too late"),
        record(3, 6, later=8, user_name="too early"), record(4, 1, user_name="new"),
    )  # fmt: skip

    done = [sink.commit(one, 0, first), sink.commit(one, 1, second)]

    assert warehouse.rows('SELECT ind, user_name FROM stream."user" ORDER BY ind') == [
        (1, "newer"), (2, "greater number"), (3, "kept"), (4, "new"),
    ]  # fmt: skip
    assert [(one.records, one.rows, one.duplicates, one.quarantined) for one in done] == [(5, 3, 2, 0), (4, 1, 3, 0)]


def test_a_replayed_batch_is_a_no_op(warehouse):
    one = checkpoint()
    batch = validated("pin", record(1, 1, title="a"), record(None, 2, reject_reason="no index", payload="{}"))
    warehouse.sink("pin").commit(one, 0, batch)
    before = warehouse.snapshot()

    again = warehouse.sink("pin").commit(one, 0, batch)

    assert again.is_replay
    assert warehouse.snapshot() == before


def test_batch_0_of_a_new_checkpoint_is_no_replay_of_the_old_ones(warehouse):
    warehouse.sink("pin").commit(checkpoint(), 0, validated("pin", record(1, 1, title="a")))

    done = warehouse.sink("pin").commit(checkpoint(), 0, validated("pin", record(1, 1, title="a"), record(2, 2)))

    assert (done.records, done.rows, done.duplicates, done.is_replay) == (2, 1, 1, False)
    assert warehouse.rows("SELECT ind FROM stream.pin ORDER BY ind") == [(1,), (2,)]
    assert warehouse.rows(SUMS) == [(3, 2, 1, 0)]


def test_a_batch_that_a_restored_checkpoint_planned_again_is_written_and_both_are_counted(warehouse):
    one = checkpoint()
    warehouse.sink("pin").commit(one, 5, validated("pin", record(1, 1), record(2, 3, shard="b")))

    # The same first and last number over all shards: only what lies between them is other
    repeated = validated("pin", record(1, 1), record(3, 2), record(2, 3, shard="b"))
    done = warehouse.sink("pin").commit(one, 5, repeated)
    assert warehouse.sink("pin").commit(one, 5, repeated).is_replay

    assert (done.records, done.rows, done.duplicates) == (3, 1, 2)
    assert warehouse.one("SELECT count(*) FROM stream.pin") == 3
    assert warehouse.rows(SUMS) == [(5, 3, 2, 0)]


def test_each_shard_is_known_up_to_what_was_committed_of_it_and_never_goes_back(warehouse):
    warehouse.sink("pin").commit(
        checkpoint(), 0, validated("pin", record(1, 9), record(2, 10**30), record(3, 4, shard="b"), record(
            None, 7, shard="b", reject_reason="no index", payload="{}"))
    )  # fmt: skip
    warehouse.sink("pin").commit(checkpoint(), 0, validated("pin", record(1, 9), record(4, 1, shard="c")))

    assert warehouse.rows("SELECT stream, shard_id, sequence_number FROM stream.position ORDER BY shard_id") == [
        ("streaming-test", "b", 7), ("streaming-test", "c", 1), ("streaming-test", SHARD, 10**30),
    ]  # fmt: skip


def test_rejected_records_are_kept_with_where_they_stood_whatever_they_hold(warehouse):
    mebibyte = "x" * 2**20
    rejected = [
        record(None, 1, reject_reason="unparsable JSON", payload=mebibyte),
        record(None, 2, reject_reason="unparsable JSON", payload="\x00\ufffd\x00"),
        record(None, 3, reject_reason="empty record", payload=""),
        record(None, 4, reject_reason="empty record", payload=None),
        record(12, 5, reject_reason="age outside 13..120", payload='{"ind": 12}'),
    ]

    done = warehouse.sink("user").commit(checkpoint(), 0, validated("user", *rejected))
    again = warehouse.sink("user").commit(checkpoint(), 0, validated("user", *rejected))

    assert (done.records, done.rows, done.duplicates, done.quarantined) == (5, 0, 0, 5)
    assert (again.duplicates, again.quarantined) == (5, 0)
    found = warehouse.rows("SELECT stream, shard_id, sequence_number, payload FROM stream.quarantine ORDER BY 3")
    assert [payload for *_, payload in found] == [mebibyte, "\ufffd\ufffd\ufffd", "", "", '{"ind": 12}']
    assert found[4][:3] == ("streaming-test", "shardId-000000000000", 5)
    assert warehouse.one('SELECT count(*) FROM stream."user"') == 0


def test_rejected_records_of_one_aggregate_are_rows_of_their_own_and_their_bytes_stay(warehouse):
    rejected = [
        record(None, 5, reject_reason="unparsable JSON", payload="\ufffd", payload_bytes=bytes([0xFF, n]))
        for n in range(3)
    ]
    batch = validated("user", *rejected, record(None, 6, reject_reason="unparsable JSON", payload="x"))

    done = warehouse.sink("user").commit(checkpoint(), 0, batch)
    again = warehouse.sink("user").commit(checkpoint(), 0, batch)

    assert (done.records, done.quarantined, done.duplicates) == (4, 4, 0)
    assert (again.quarantined, again.duplicates) == (0, 4)
    assert warehouse.rows(
        "SELECT sequence_number, sub_sequence, payload_bytes FROM stream.quarantine ORDER BY 1, 2"
    ) == [(5, 0, b"\xff\x00"), (5, 1, b"\xff\x01"), (5, 2, b"\xff\x02"), (6, 0, None)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "delivered backwards"])
def test_the_last_version_in_an_aggregate_wins_and_stays_when_an_older_one_comes_again(warehouse, order):
    batches = [
        validated("user", record(1, 5, user_name="first"), record(2, 5), record(1, 5, user_name="last")),
        validated("user", record(1, 5, user_name="first")),
    ]
    for number in order:
        warehouse.sink("user").commit(checkpoint(), 0, batches[number])

    assert warehouse.rows('SELECT user_name, sub_sequence FROM stream."user" ORDER BY ind') == [("last", 2), (None, 1)]


def test_progress_says_what_arrived_when(warehouse):
    warehouse.sink("geo").commit(
        checkpoint(), 3,
        validated("geo", record(1, 1, later=2), record(None, 2, later=7, reject_reason="no ind", payload="{}")),
    )  # fmt: skip
    warehouse.sink("geo").commit(checkpoint(), 0, validated("geo"))

    [(batch_id, first, last, behind, age)] = warehouse.rows(
        "SELECT batch_id, first_arrival, last_arrival, milliseconds_behind_latest,"
        " extract(epoch FROM committed_at - last_arrival) * 1000 FROM stream.progress WHERE record_count > 0"
    )
    assert (batch_id, (first - ARRIVED).seconds, (last - ARRIVED).seconds) == (3, 2, 7)
    assert behind == pytest.approx(max(0, float(age)), abs=1000)
    assert warehouse.rows("SELECT record_count, last_arrival FROM stream.progress WHERE batch_id = 0") == [(0, None)]


def test_a_post_is_there_once_all_three_are_and_follows_each_of_them(warehouse):
    one = checkpoint()
    sinks = {table: warehouse.sink(table) for table in ("pin", "geo", "user")}
    sinks["pin"].commit(one, 0, validated("pin", record(1, 1, title="old"), record(2, 2)))
    sinks["geo"].commit(one, 0, validated("geo", record(1, 1, later=5, country="Chad"), record(3, 2)))
    assert warehouse.rows("SELECT * FROM stream.post") == []

    sinks["user"].commit(one, 0, validated("user", record(1, 1, user_name="Ada", age=30), record(2, 2)))
    joined = "SELECT ind, title, country, user_name, age, ingested_at FROM stream.post"
    assert [row[:5] for row in warehouse.rows(joined)] == [(1, "old", "Chad", "Ada", 30)]
    assert (warehouse.rows(joined)[0][5] - ARRIVED).seconds == 5
    sinks["pin"].commit(one, 1, validated("pin", record(1, 9, later=6, title="new")))
    sinks["geo"].commit(one, 1, validated("geo", record(1, 0, country="too late")))

    assert [row[:5] for row in warehouse.rows(joined)] == [(1, "new", "Chad", "Ada", 30)]


def test_posts_whose_three_parts_commit_at_the_same_moment_are_all_joined(warehouse):
    rounds, posts = 40, 25
    start = threading.Barrier(3)

    def deliver(table):
        sink, one = warehouse.sink(table), checkpoint()
        for number in range(rounds):
            keys = [number * posts + n for n in range(posts)]
            random.shuffle(keys)
            batch = validated(table, *(record(key, key) for key in keys))
            start.wait(60)
            sink.commit(one, number, batch)

    threads = [threading.Thread(target=deliver, args=(table,)) for table in ("pin", "geo", "user")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert warehouse.one("SELECT count(*) FROM stream.post") == rounds * posts


def test_two_writers_of_one_batch_write_it_once(warehouse):
    one = checkpoint()
    batch = validated("pin", *(record(key, key) for key in range(200)))
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(warehouse.sink("pin").commit(one, 0, batch))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(one.is_replay for one in done) == [False, True, True, True]
    assert warehouse.rows(SUMS) == [(200, 200, 0, 0)]


def test_a_session_that_the_server_ended_is_opened_again(warehouse, monkeypatch):
    monkeypatch.setattr(postgres, "FIRST_PAUSE_SECONDS", 0.01)
    sink, one = warehouse.sink("pin"), checkpoint()
    sink.commit(one, 0, validated("pin", record(1, 1)))
    pid = sink.connection.info.backend_pid
    assert warehouse.one("SELECT pg_terminate_backend(%s, 10000)", pid)

    sink.commit(one, 1, validated("pin", record(2, 2)))

    assert warehouse.rows(SUMS) == [(2, 2, 0, 0)]


def test_a_server_that_stays_away_is_given_up_and_the_batch_is_whole_or_not_there(warehouse, monkeypatch):
    monkeypatch.setattr(postgres, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setitem(postgres.SETTINGS, "lock_timeout", "100ms")
    with psycopg.connect(warehouse.url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", [JOIN_LOCK])
        with pytest.raises(psycopg.errors.LockNotAvailable):
            warehouse.sink("pin", patience_seconds=0).commit(checkpoint(), 0, validated("pin", record(1, 1)))

    assert warehouse.one("SELECT count(*) FROM stream.pin") == 0
    assert warehouse.one("SELECT count(*) FROM stream.progress") == 0


def upkeep(warehouse, **days):
    return Upkeep(warehouse.url, ["stream_pin"], ["streaming-test"], days)


def test_old_progress_is_summed_up_in_pieces_and_the_newest_batch_still_guards_against_a_replay(warehouse, monkeypatch):
    one = checkpoint()
    sink = warehouse.sink("pin")
    batches = [validated("pin", record(n, n), record(None, n + 100, reject_reason="x", payload="")) for n in range(6)]
    for number, batch in enumerate(batches):
        sink.commit(one, number, batch)
    warehouse.connection.execute("UPDATE stream.progress SET committed_at = now() - interval '8 days'")
    monkeypatch.setattr(stream_upkeep, "PIECE_ROWS", 2)

    done = [upkeep(warehouse, progress=7).round() for _ in range(2)]
    replay = sink.commit(one, 5, batches[5])

    assert done == [{"progress": 5}, {"progress": 0}]
    assert replay.is_replay
    assert warehouse.rows("SELECT batch_id, record_count FROM stream.progress ORDER BY 1") == [(-1, 10), (5, 2)]
    assert warehouse.rows(SUMS) == [(12, 6, 0, 6)]


def test_a_week_of_progress_is_summed_up_beside_the_batches(warehouse):
    """1.2 million rows hit the time-out of 60 s in one statement; a piece takes a fraction of a second however many."""
    one = checkpoint()
    warehouse.connection.execute(
        "INSERT INTO stream.progress (query, checkpoint_id, batch_id, record_count, row_count, duplicate_count,"
        " quarantined_count, content_key, committed_at) SELECT 'stream_pin', %s, n, 1, 1, 0, 0, '',"
        " now() - interval '9 days' + n * interval '1 millisecond' FROM generate_series(0, 60000) n", [one],
    )  # fmt: skip
    kept = upkeep(warehouse, progress=7)
    with psycopg.connect(warehouse.url) as batch:
        batch.execute("INSERT INTO stream.progress VALUES ('stream_pin', %s, 60001, 1, 1, 0, 0, '{}', 'key')", [one])

        done = kept.round()

    assert done == {"progress": 60_000}
    assert warehouse.rows(SUMS) == [(60_002, 60_002, 0, 0)]


def test_what_is_older_than_its_days_is_deleted_and_0_is_for_ever(warehouse):
    rejected = [record(None, n, reject_reason="x", payload="") for n in range(4)]
    warehouse.sink("pin").commit(checkpoint(), 0, validated("pin", *rejected, record(1, 9, shard="b")))
    for table in ("quarantine", "position"):
        warehouse.connection.execute(f"UPDATE stream.{table} SET committed_at = now() - interval '91 days'")
    warehouse.connection.execute("UPDATE stream.quarantine SET committed_at = now() WHERE sequence_number = 3")

    assert upkeep(warehouse, progress=0, quarantine=0, position=0).round() == {}
    assert upkeep(warehouse, quarantine=92, position=92).round() == {"quarantine": 0, "position": 0}
    assert upkeep(warehouse, quarantine=90, position=90).round() == {"quarantine": 3, "position": 2}
    assert warehouse.rows("SELECT sequence_number FROM stream.quarantine") == [(3,)]


def test_a_micro_batch_goes_through_a_pooler_of_sessions(warehouse):
    with Pooler(warehouse.url) as pooler:
        sink = StreamSink(pooler.url, "stream_pin", "pin")
        sink.commit(checkpoint(), 0, validated("pin", record(1, 1), record(None, 2, reject_reason="x", payload="")))
        sink.close()

    assert warehouse.rows(SUMS) == [(2, 1, 0, 1)]
    assert pooler.refused == []


def test_a_pooler_of_transactions_is_refused_in_one_sentence_before_the_queries_start(warehouse):
    refused = pytest.raises(StageError, match=r"^The proxy before PostgreSQL at .* pools transactions, but .*session")
    with Pooler(warehouse.url, mode="transaction") as pooler, refused:
        stream_sink.check_tables(pooler.url)


def test_a_server_that_was_demoted_is_written_to_once_it_is_the_primary_again(warehouse, monkeypatch):
    monkeypatch.setattr(postgres, "FIRST_PAUSE_SECONDS", 0.1)
    sink, one = warehouse.sink("pin"), checkpoint()
    sink.commit(one, 0, validated("pin", record(1, 1)))
    demoted = "ALTER DATABASE {} SET default_transaction_read_only = {}"
    name = psycopg.sql.Identifier(warehouse.url.rpartition("/")[2])
    warehouse.connection.execute(psycopg.sql.SQL(demoted).format(name, "on"))
    warehouse.one("SELECT pg_terminate_backend(%s, 10000)", sink.connection.info.backend_pid)
    promotion = threading.Timer(
        1.0, lambda: psycopg.connect(warehouse.url, autocommit=True, options="-c default_transaction_read_only=off")
        .execute(psycopg.sql.SQL(demoted).format(name, "off")),
    )  # fmt: skip
    promotion.start()

    sink.commit(one, 1, validated("pin", record(2, 2)))

    promotion.join()
    assert warehouse.rows(SUMS) == [(2, 2, 0, 0)]


def test_a_warehouse_without_the_tables_is_refused_with_the_remedy(warehouse):
    stream_sink.check_tables(warehouse.url)
    warehouse.connection.execute("DROP TABLE stream.control, stream.post")
    warehouse.connection.execute("ALTER TABLE stream.progress DROP COLUMN content_key")

    with pytest.raises(StageError, match=r"lacks stream.progress.content_key, stream.control, stream.post. Deploy"):
        stream_sink.check_tables(warehouse.url)


def test_a_request_to_stop_is_obeyed_by_those_it_names_if_it_is_younger_than_the_run(warehouse):
    queries = ["stream_pin", "stream_geo"]
    ask = "INSERT INTO stream.control (query, stop_requested_at) VALUES (%s, now())"
    warehouse.connection.execute(ask, ["all"])
    control = Control(warehouse.url)
    assert control.queries_to_stop(queries) == []

    warehouse.connection.execute(ask, ["stream_geo"])
    assert control.queries_to_stop(queries) == ["stream_geo"]
    warehouse.connection.execute("UPDATE stream.control SET stop_requested_at = now() WHERE query = 'all'")
    assert control.queries_to_stop(queries) == queries
    control.close()


def test_a_control_that_lost_its_session_asks_for_nothing_and_looks_again(warehouse):
    control = Control(warehouse.url)
    control.queries_to_stop(["stream_pin"])
    warehouse.one("SELECT pg_terminate_backend(%s, 10000)", control.connection.info.backend_pid)
    warehouse.connection.execute("INSERT INTO stream.control (query, stop_requested_at) VALUES ('all', now())")

    assert control.queries_to_stop(["stream_pin"]) == []
    assert control.queries_to_stop(["stream_pin"]) == ["stream_pin"]
    control.close()
