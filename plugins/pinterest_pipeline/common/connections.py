"""Connections that lack something are told of in one line: which, what belongs there, and where that is written."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pinterest_pipeline.common.compat import AirflowNotFoundException, BaseHook
from pinterest_pipeline.common.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from airflow.sdk import Connection

TABLE = "docs/connections.md"


class CheckedConnectionHook(BaseHook):
    """Base, beside a provider's hook, of hooks that look at a connection's fields before anything is called with them.

    A connection that is not found may be there the next time: Airflow passes over a secrets backend that does not
    answer. So this is a :class:`TransientError`. Missing fields are a :class:`PermanentError`.
    """

    required_fields: ClassVar[Mapping[str, str]] = {}  #: Field of the connection: what belongs in it.

    @classmethod
    def get_connection(cls, conn_id: str) -> "Connection":
        """Return a connection that is complete, or raise the error that says what is missing."""
        try:
            connection = super().get_connection(conn_id)
        except AirflowNotFoundException as error:
            raise TransientError(f"Connection {conn_id} does not exist: create it, see {TABLE}.") from error
        check_fields(connection, cls.missing_fields(connection))
        return connection

    @classmethod
    def missing_fields(cls, connection: "Connection") -> Mapping[str, str]:
        """Return the empty ones of the required fields, and what belongs in each."""
        return {field: what for field, what in cls.required_fields.items() if not getattr(connection, field)}


def check_fields(connection: Any, missing: Mapping[str, str]) -> None:
    """Raise :class:`PermanentError` where fields are missing, naming all of them at once."""
    if missing:
        lacks = " and ".join(f"{field} ({what})" for field, what in missing.items())
        raise PermanentError(f"Connection {connection.conn_id} lacks {lacks}: add it, see {TABLE}.")
