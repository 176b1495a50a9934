"""Values of PostgreSQL that Python cannot hold, or no reader of JSON takes, read as they are instead of as an error.

A driver raises while it fetches, so that one ``infinity`` would hold back every row of the query. For psycopg 3, and
psycopg 2 of older Airflows; other DB-API connections are left as they are.
"""

import json
from collections.abc import Callable
from typing import Any

from pinterest_pipeline.common.records import UnreadableValue

TIMES = {"date": 1082, "timestamp": 1114, "timestamptz": 1184}  # oids of pg_type
DOCUMENTS = {"json": 114, "jsonb": 3802}
MAX_NESTING = 1000  # Jackson's, in Kafka REST proxies, Kafka Connect and Spark; orjson's is 1,024
NO_TIME = ("infinity", "-infinity")  # psycopg 2 reads them as the last and the first day that Python knows
ERRORS = (ValueError, OverflowError, RecursionError)
TEXT = 0  # the format in which cursors get values unless they ask for another


def keep_unreadable_values(connection: Any) -> None:
    """Make cursors that this connection opens from now on return :class:`UnreadableValue` for such values."""
    driver = driver_of(connection)
    if driver == "psycopg":
        _register_loaders(connection)
    elif driver == "psycopg2":
        _register_types(connection)


def driver_of(connection: Any) -> str:
    """Return the name of the package that a connection is of."""
    return type(connection).__module__.partition(".")[0]


def read_document(text: str | bytes) -> Any:
    """Return the value of a JSON document, or what is wrong with it."""
    document = text.decode() if isinstance(text, bytes) else text
    if is_too_deep(document):
        return UnreadableValue(document, f"JSON nested deeper than {MAX_NESTING:,} levels")
    try:
        return json.loads(document)
    except ERRORS as error:
        return UnreadableValue(document, f"{type(error).__name__}: {error}")


def is_too_deep(document: str) -> bool:
    """Tell whether arrays and objects are nested too deep; brackets within texts do not count."""
    if document.count("[") + document.count("{") <= MAX_NESTING:
        return False
    depth = deepest = 0
    is_text = is_escaped = False
    for character in document:
        if is_text:
            is_text = character != '"' or is_escaped
            is_escaped = character == "\\" and not is_escaped
        elif character == '"':
            is_text = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest > MAX_NESTING


def _register_loaders(connection: Any) -> None:
    known = connection.adapters
    unreadable = (connection.DataError, *ERRORS)

    def register(oid: int, reader: Callable[[Any, int, Any], Callable[[Any], Any]]) -> None:
        standard = known.get_loader(oid, TEXT)

        class TolerantLoader:  # what psycopg.abc.Loader asks for; those of the C implementation cannot be derived from
            format = standard.format

            def __init__(self, oid: int, context: Any = None) -> None:
                self.load = reader(standard, oid, context)

        known.register_loader(oid, TolerantLoader)

    def moment(standard: Any, oid: int, context: Any) -> Callable[[Any], Any]:
        load = standard(oid, context).load

        def tolerant(data: Any) -> Any:
            try:
                return load(data)
            except unreadable as error:
                return UnreadableValue(bytes(data).decode(errors="backslashreplace"), str(error))

        return tolerant

    def document(_standard: Any, _oid: int, _context: Any) -> Callable[[Any], Any]:
        return lambda data: read_document(bytes(data))

    for oid in TIMES.values():
        register(oid, moment)
    for oid in DOCUMENTS.values():
        register(oid, document)


def _register_types(connection: Any) -> None:
    from psycopg2 import DataError, extensions, extras  # noqa: PLC0415 - drivers slow DAG parsing

    def tolerant(standard: Callable[[str | None, Any], Any]) -> Callable[[str | None, Any], Any]:
        def cast(text: str | None, cursor: Any) -> Any:
            if text in NO_TIME:
                return UnreadableValue(text or "", "no moment in time")
            try:
                return standard(text, cursor)
            except (DataError, *ERRORS) as error:
                return UnreadableValue(text or "", str(error))

        return cast

    casts = {"date": extensions.PYDATE, "timestamp": extensions.PYDATETIME, "timestamptz": extensions.PYDATETIMETZ}
    for name, oid in TIMES.items():
        extensions.register_type(extensions.new_type((oid,), name, tolerant(casts[name])), connection)
    extras.register_default_json(connection, loads=read_document)
    extras.register_default_jsonb(connection, loads=read_document)
