"""Statements in the source or the warehouse: the provider's operator, on the hook that checks its connection."""

from typing import TYPE_CHECKING

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook


class PostgresQueryOperator(SQLExecuteQueryOperator):
    """Run statements, in one transaction unless ``autocommit``; arguments are those of ``SQLExecuteQueryOperator``.

    :raises TransientError: The connection does not exist.
    :raises PermanentError: The connection lacks a field.
    """

    def get_db_hook(self) -> "DbApiHook":
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        return PipelinePostgresHook(str(self.conn_id))
