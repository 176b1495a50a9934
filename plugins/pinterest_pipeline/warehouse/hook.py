"""PostgreSQL, the source and the warehouse: the provider's hook, on a connection that is complete and bounded."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any, ClassVar, override
from uuid import uuid4

from airflow.providers.postgres.hooks.postgres import PostgresHook

from pinterest_pipeline.common.connections import CheckedConnectionHook
from pinterest_pipeline.common.errors import PermanentError

SET = "SELECT set_config(%s, %s, false)"
MARK, MARKED = "pinterest.session", "SELECT current_setting('pinterest.session', true)"
MARK_CHECKS = 3


class PipelinePostgresHook(CheckedConnectionHook, PostgresHook):
    """The provider's hook; it says which fields of its connection are missing instead of trying libpq's defaults.

    ``session_settings`` are set once connected: RDS Proxy and PgBouncer refuse a connection that brings ``options``. A
    proxy that pools transactions, where settings would be another client's, is refused with a :class:`PermanentError`.
    """

    required_fields = {  # noqa: RUF012 - the base declares it as the class's
        "host": "the server's name",
        "schema": "the database",
        "login": "the role",
    }
    session_settings: ClassVar[Mapping[str, str]] = {
        "statement_timeout": "30min",  # of one FETCH, where rows are read by a cursor
        "lock_timeout": "60s",
        "idle_in_transaction_session_timeout": "60min",  # rows of a cursor go out between two statements
    }

    @override
    def get_conn(self) -> Any:
        connection = super().get_conn()
        try:
            self._require_session(connection)
            for setting in self.session_settings.items():
                first_value(connection, SET, setting)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_session(self, connection: Any) -> None:
        """Refuse a proxy that pools transactions; a server without a proxy names its process itself."""
        if first_value(connection, "SELECT pg_backend_pid()") == connection.info.backend_pid:
            return
        mark = uuid4().hex
        first_value(connection, SET, (MARK, mark))
        for _ in range(MARK_CHECKS):
            with closing(super().get_conn()) as other, closing(other.cursor()) as cursor:
                cursor.execute(MARKED)  # its transaction stays open, and so keeps its session from the other's
                if cursor.fetchone()[0] == mark or first_value(connection, MARKED) != mark:
                    raise PermanentError(
                        f"The proxy of connection {self.get_conn_id()} pools transactions, but sessions are needed: "
                        "set pool_mode=session in PgBouncer, or connect to the server itself."
                    )


def first_value(connection: Any, statement: str, parameters: tuple[str, ...] = ()) -> Any:
    """Return the first value of a statement that is a transaction of its own."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement, parameters or None)
        value = cursor.fetchone()
    connection.commit()
    return next(iter(value.values() if isinstance(value, dict) else value))
