"""What a Kafka REST proxy answered for each record: three dialects of one response, classified by one table.

A request that succeeds (200) still carries one outcome per record, and any of them may be a failure.
Confluent's proxy answers 5-digit codes although its manual says 1 and 2 (kafka-rest issues 147, 281, 359,
586); Karapace answers 1 and 2, and 1 also for its own time-outs; Strimzi's bridge answers HTTP statuses, with
``message`` instead of ``error``.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple


class Dialect(StrEnum):
    """The proxy that answered, as far as its answer shows."""

    CONFLUENT = "confluent"
    KARAPACE = "karapace"
    STRIMZI = "strimzi"


class RecordStatus(StrEnum):
    """What one record needs after a request."""

    DELIVERED = "delivered"
    RETRY = "retry"  # a temporary error: send again
    UNCERTAIN = "uncertain"  # an unknown code, or one that may mean anything: send again, then give the record up
    REJECTED = "rejected"  # the record itself is at fault: give it up
    DENIED = "denied"  # we are at fault (credentials, ACL): no record will get through


class Outcome(NamedTuple):
    """One record's outcome; ``partition`` and ``offset`` are None unless the proxy sent them."""

    status: RecordStatus
    partition: int | None = None
    offset: int | None = None
    error_code: int | None = None
    reason: str = ""


STATUSES: Mapping[Dialect, Mapping[int, RecordStatus]] = {
    Dialect.CONFLUENT: {
        1: RecordStatus.REJECTED,
        2: RecordStatus.RETRY,
        40101: RecordStatus.DENIED,
        40301: RecordStatus.DENIED,
        40403: RecordStatus.REJECTED,
        50002: RecordStatus.REJECTED,
        50003: RecordStatus.RETRY,
    },
    Dialect.KARAPACE: {1: RecordStatus.REJECTED, 2: RecordStatus.RETRY},
    Dialect.STRIMZI: {
        400: RecordStatus.REJECTED,
        401: RecordStatus.DENIED,
        403: RecordStatus.DENIED,
        404: RecordStatus.REJECTED,
        408: RecordStatus.RETRY,
        413: RecordStatus.REJECTED,
        422: RecordStatus.REJECTED,
        429: RecordStatus.RETRY,
        503: RecordStatus.RETRY,
        504: RecordStatus.RETRY,
    },  # the bridge writes 500 for every other exception, temporary or not
}
TEMPORARY_REASONS = ("timed out", "cancelled")  # Karapace's own, under its code for permanent errors
FIRST_CONFLUENT_CODE = 10_000


def read_outcomes(answer: object, record_count: int) -> tuple[Dialect, list[Outcome]]:
    """Read the body of a 200, which has one entry per record sent, in their order.

    :raises ValueError: the answer is of none of the three dialects, or has not one entry per record. The outcome of the
        records is then unknown.
    """
    entries = answer.get("offsets") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(entries, list) or len(entries) != record_count:
        seen = f"{len(entries)} entries" if isinstance(entries, list) else type(answer).__name__
        raise ValueError(f"expected an object with `offsets` of {record_count} entries, got {seen}")
    if not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"expected an object with `offsets` of {record_count} entries, got some that are no object")
    dialect = dialect_of(answer, entries)
    return dialect, [read_outcome(dialect, entry) for entry in entries]


def dialect_of(answer: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Dialect:
    """Return the dialect, by the fields that only one of the three writes."""
    if "key_schema_id" not in answer and "value_schema_id" not in answer:
        return Dialect.STRIMZI
    for entry in entries:
        if "error_code" in entry:
            code = entry["error_code"]
            return Dialect.CONFLUENT if code is None or code >= FIRST_CONFLUENT_CODE else Dialect.KARAPACE
    return Dialect.KARAPACE


def read_outcome(dialect: Dialect, entry: Mapping[str, Any]) -> Outcome:
    """Classify one entry of ``offsets``."""
    code, offset = entry.get("error_code"), entry.get("offset")
    if code is None:
        if offset is None:
            return Outcome(RecordStatus.UNCERTAIN, reason="neither an offset nor an error_code")
        if offset < 0:  # Karapace, where Kafka did not return it
            return Outcome(RecordStatus.DELIVERED)
        return Outcome(RecordStatus.DELIVERED, entry.get("partition"), offset)
    reason = str(entry.get("error") or entry.get("message") or "no reason given")
    status = STATUSES[dialect].get(code, RecordStatus.UNCERTAIN)
    if dialect is Dialect.KARAPACE and any(words in reason for words in TEMPORARY_REASONS):
        status = RecordStatus.RETRY
    return Outcome(status, error_code=code, reason=reason)
