"""The database behind a connection: PostgreSQL by our own hook, any other that Airflow has a provider for by its."""

from pinterest_pipeline.common.compat import AirflowException
from pinterest_pipeline.common.connections import CheckedConnectionHook
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.source.queries import Database
from pinterest_pipeline.warehouse.hook import PipelinePostgresHook

POSTGRES = ("postgres", "postgresql")


def database_of(conn_id: str) -> Database:
    """Return the hook of a connection whose rows can be queried.

    :raises TransientError: No such connection.
    :raises PermanentError: It is not a database's, or its provider is not installed.
    """
    connection = CheckedConnectionHook.get_connection(conn_id)
    if connection.conn_type in POSTGRES:
        return PipelinePostgresHook(conn_id)
    try:
        hook = connection.get_hook()
    except (AirflowException, ImportError) as error:
        raise PermanentError(
            f"Connection {conn_id} is of type {connection.conn_type!r}, for which no provider is installed ({error}): "
            "install it, or correct the type."
        ) from error
    from airflow.providers.common.sql.hooks.sql import DbApiHook  # noqa: PLC0415 - slows DAG parsing

    if not isinstance(hook, DbApiHook):
        raise PermanentError(
            f"Connection {conn_id} is of type {connection.conn_type!r}, which is no database's: rows come from a "
            "connection that Airflow has a SQL hook for."
        )
    return hook
