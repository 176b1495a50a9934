"""Statements in the source or the warehouse: the provider's operator, on the hook that checks its connection."""

from typing import TYPE_CHECKING

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from pinterest_pipeline.common.lazy_hooks import postgres_hook

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook


class PostgresQueryOperator(SQLExecuteQueryOperator):
    """Run statements, in one transaction unless ``autocommit``; arguments are those of ``SQLExecuteQueryOperator``.

    :raises TransientError: The connection does not exist.
    :raises PermanentError: The connection lacks a field.
    """

    def get_db_hook(self) -> "DbApiHook":
        return postgres_hook(str(self.conn_id))
