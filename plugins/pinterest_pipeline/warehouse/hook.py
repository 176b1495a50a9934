"""PostgreSQL, the source and the warehouse: the provider's hook, on a connection that is complete."""

from airflow.providers.postgres.hooks.postgres import PostgresHook

from pinterest_pipeline.common.connections import CheckedConnectionHook


class PipelinePostgresHook(CheckedConnectionHook, PostgresHook):
    """The provider's hook; it says which fields of its connection are missing instead of trying libpq's defaults."""

    required_fields = {  # noqa: RUF012 - the base declares it as the class's
        "host": "the server's name",
        "schema": "the database",
        "login": "the role",
    }
