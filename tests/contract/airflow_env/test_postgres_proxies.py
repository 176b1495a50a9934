"""PostgreSQL as it is in the cloud, behind a proxy and with TLS, for Airflow's hook and Spark's connections."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk import Connection

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.ui import warehouse as page
from pinterest_pipeline.warehouse.hook import PipelinePostgresHook
from tests.support.groups import PROJECT
from tests.support.pooler import Pooler
from tests.unit.tls import Authority

sys.path.append(str(PROJECT / "include" / "spark"))
from pinterest_spark import postgres

CONNECTION = "pinterest_warehouse"


@pytest.fixture(scope="module")
def server_url(stand_ins: Callable[..., dict[str, str]]) -> str:
    return stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]


@pytest.fixture
def behind(server_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Pooler]]:
    """Return a function that starts a proxy and makes it what the connection names; ``extra`` is the connection's."""
    started: list[Pooler] = []

    def start(mode: str = "session", tls: Any = None, **extra: str) -> Pooler:
        pooler = Pooler(server_url, mode, tls)
        started.append(pooler.__enter__())
        uri = pooler.url.replace("postgresql://", "postgres://")
        connection = Connection.from_uri(uri, conn_id=CONNECTION)
        connection.extra = json.dumps({"connect_timeout": 10, **extra})
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", connection.as_json())
        return pooler

    yield start
    for pooler in started:
        pooler.__exit__()


def timeout_of(connection: Any) -> str:
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        return str(cursor.fetchone()[0])


def test_a_pooler_of_sessions_is_as_good_as_the_server(behind: Callable[..., Pooler]) -> None:
    pooler = behind()

    with closing(PipelinePostgresHook(CONNECTION).get_conn()) as connection:
        assert timeout_of(connection) == "1min"
    with closing(page.connect()) as connection:
        assert timeout_of(connection) == "0"
    with postgres.connect(pooler.url) as connection:
        assert timeout_of(connection) == "30s"
    assert pooler.refused == []


def test_the_proxy_of_these_tests_refuses_start_up_options_as_pgbouncer_does(behind: Callable[..., Pooler]) -> None:
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter: options"):
        psycopg.connect(behind().url, options="-c lock_timeout=30s")


@pytest.mark.parametrize("busy", [0, 2], ids=["alone", "beside other clients"])
def test_a_pooler_of_transactions_is_refused_in_one_sentence(behind: Callable[..., Pooler], busy: int) -> None:
    pooler = behind("transaction")
    others = [psycopg.connect(pooler.url) for _ in range(busy)]
    for other in others:
        other.execute("SELECT 1")
    for other in others:
        other.commit()

    said = "pools transactions, but .* set pool_mode=session in PgBouncer, or connect to the server itself"
    with pytest.raises(PermanentError, match=said):
        PipelinePostgresHook(CONNECTION).get_conn()
    with pytest.raises(postgres.TransactionPoolingError, match=said):
        postgres.connect(pooler.url)
    for other in others:
        other.close()


def test_a_server_that_is_verified_is_used_and_another_one_is_refused(
    behind: Callable[..., Pooler], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    verified = {"sslmode": "verify-full", "sslrootcert": str(authority.file)}
    parameters = f"?sslmode=verify-full&sslrootcert={authority.file}"

    good = behind(tls=authority.server("127.0.0.1"), **verified)
    with closing(PipelinePostgresHook(CONNECTION).get_conn()) as connection:
        assert timeout_of(connection) == "1min"
    with postgres.connect(good.url + parameters) as connection:
        assert connection.pgconn.ssl_in_use

    for said, tls in (
        ("does not match host name", authority.server("another.example")),
        ("certificate verify failed", other.server("127.0.0.1")),
        ("server does not support SSL", None),
    ):
        bad = behind(tls=tls, **verified)
        with pytest.raises(Exception, match=said):
            PipelinePostgresHook(CONNECTION).get_conn()
        with pytest.raises(psycopg.OperationalError, match=said):
            postgres.connect(bad.url + parameters)
