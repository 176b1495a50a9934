"""What the warehouse answers, and what its errors mean, under the driver of either Airflow."""

from types import SimpleNamespace

import psycopg
import psycopg2
import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.stream import tables as stream_tables
from pinterest_pipeline.stream.policy import Control, Request


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (psycopg2.OperationalError("gone"), TransientError, r"reading stream\.control: gone"),
        (psycopg.OperationalError("gone"), TransientError, r"reading stream\.control: gone"),
        (psycopg.errors.UndefinedTable("no table"), PermanentError, "run task migrate_warehouse"),
        (
            type("Missing", (psycopg2.Error,), {"pgcode": "42P01"})("no table"),
            PermanentError,
            "run task migrate_warehouse",
        ),
        (KeyError("ours"), KeyError, "ours"),
    ],
)
def test_a_database_error_says_whether_trying_again_helps(error, kind, said):
    def fail(*_):
        raise error

    with pytest.raises(kind, match=said):
        stream_tables.read_control(SimpleNamespace(get_records=fail))


def test_no_row_means_that_nothing_was_asked():
    assert stream_tables.read_control(SimpleNamespace(get_records=lambda *_: [])) == Control()


def test_nothing_asked_writes_nothing():
    stream_tables.obey(SimpleNamespace(), Request.WATCH, by="me", reason="r")
