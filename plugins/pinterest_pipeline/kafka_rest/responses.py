"""What a Kafka REST proxy said of each record: three dialects of one answer, read by one table.

A request that succeeds (200) still carries one outcome per record, and any of them may be a failure.
Confluent's proxy answers 5-digit codes although its manual says 1 and 2 (kafka-rest issues 147, 281, 359,
586); Karapace answers 1 and 2, and 1 also for its own time-outs; Strimzi's bridge answers HTTP statuses, with
``message`` instead of ``error``.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple


class Dialect(StrEnum):
    """Whose proxy answered, as far as its answer shows."""

    CONFLUENT = "confluent"
    KARAPACE = "karapace"
    STRIMZI = "strimzi"


class Verdict(StrEnum):
    """What to do about one record."""

    DELIVERED = "delivered"
    RETRY = "retry"  # known to pass: send again
    DOUBTFUL = "doubtful"  # unknown, or a code that may mean anything: send again, then give the record up
    REJECTED = "rejected"  # the record itself is at fault: give it up
    DENIED = "denied"  # we are at fault (credentials, ACL): no record will get through


class Outcome(NamedTuple):
    """One record's outcome; ``partition`` and ``offset`` are None unless the proxy told them."""

    verdict: Verdict
    partition: int | None = None
    offset: int | None = None
    error_code: int | None = None
    reason: str = ""


VERDICTS: Mapping[Dialect, Mapping[int, Verdict]] = {
    Dialect.CONFLUENT: {
        1: Verdict.REJECTED,
        2: Verdict.RETRY,
        40101: Verdict.DENIED,
        40301: Verdict.DENIED,
        40403: Verdict.REJECTED,
        50002: Verdict.REJECTED,
        50003: Verdict.RETRY,
    },
    Dialect.KARAPACE: {1: Verdict.REJECTED, 2: Verdict.RETRY},
    Dialect.STRIMZI: {
        400: Verdict.REJECTED,
        401: Verdict.DENIED,
        403: Verdict.DENIED,
        404: Verdict.REJECTED,
        408: Verdict.RETRY,
        413: Verdict.REJECTED,
        422: Verdict.REJECTED,
        429: Verdict.RETRY,
        503: Verdict.RETRY,
        504: Verdict.RETRY,
    },  # 500 is the bridge's word for every other exception, passing or not
}
PASSING_REASONS = ("timed out", "cancelled")  # Karapace's own, under its code for what does not pass
FIRST_CONFLUENT_CODE = 10_000


def read_outcomes(answer: object, record_count: int) -> tuple[Dialect, list[Outcome]]:
    """Read the body of a 200, which has one entry per record sent, in their order.

    :raises ValueError: when the answer is of none of the three dialects, or has not one entry per record:
        then nothing is known of the records.
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
    """Tell the dialect by what only one of the three writes."""
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
            return Outcome(Verdict.DOUBTFUL, reason="neither an offset nor an error_code")
        if offset < 0:  # Karapace, where Kafka did not tell it
            return Outcome(Verdict.DELIVERED)
        return Outcome(Verdict.DELIVERED, entry.get("partition"), offset)
    reason = str(entry.get("error") or entry.get("message") or "no reason given")
    verdict = VERDICTS[dialect].get(code, Verdict.DOUBTFUL)
    if dialect is Dialect.KARAPACE and any(words in reason for words in PASSING_REASONS):
        verdict = Verdict.RETRY
    return Outcome(verdict, error_code=code, reason=reason)
