"""The account of one produce call: which records are delivered, which to send again, which are given up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.responses import Dialect, Outcome, Verdict


class OffsetRange(NamedTuple):
    """First and last offset acknowledged in one partition; offsets between them may be other producers'."""

    partition: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True)
class ProduceResult:
    """What became of the records of one produce call.

    :param acknowledged: Records that Kafka has, by the proxy's word.
    :param partitions: Their offsets, by partition; leaves out offsets that the proxy did not tell.
    :param dead_letters: The other records, each with its reason.
    :param requests: HTTP requests made; ``retries`` of them were repetitions after a failure.
    :param sent_bytes: Bytes of request bodies, repetitions included.
    :param dialect: None when no request was answered with outcomes.
    """

    acknowledged: int
    partitions: tuple[OffsetRange, ...]
    dead_letters: tuple[DeadLetter, ...]
    requests: int
    retries: int
    sent_bytes: int
    milliseconds: float
    dialect: Dialect | None


class Unsettled(NamedTuple):
    """A record to send again, and the outcome that left it so."""

    record: Record
    outcome: Outcome


@dataclass
class Account:
    """The running totals of one produce call; not shared between threads."""

    acknowledged: int = 0
    offsets: dict[int, OffsetRange] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    requests: int = 0
    retries: int = 0
    sent_bytes: int = 0
    dialect: Dialect | None = None

    def settle(self, records: Sequence[Record], outcomes: Iterable[Outcome]) -> list[Unsettled]:
        """Book the outcomes of one request; return the records that must be sent again, in order."""
        unsettled = []
        offsets: dict[int, list[int]] = {}
        for record, outcome in zip(records, outcomes, strict=True):
            if outcome.verdict is Verdict.DELIVERED:
                self.acknowledged += 1
                if outcome.partition is not None and outcome.offset is not None:
                    offsets.setdefault(outcome.partition, []).append(outcome.offset)
            elif outcome.verdict is Verdict.REJECTED:
                self.reject(record, outcome.reason, outcome.error_code)
            else:
                unsettled.append(Unsettled(record, outcome))
        for partition, seen in offsets.items():
            widen(self.offsets, OffsetRange(partition, min(seen), max(seen)))
        return unsettled

    def reject(self, record: Record, reason: str, error_code: int | None) -> None:
        """Book a record that is itself at fault."""
        self.dead_letters.append(DeadLetter.of(record, reason, error_code))

    def give_up(self, unsettled: Iterable[Unsettled], attempts: int) -> None:
        """Book records that no attempt delivered."""
        for record, outcome in unsettled:
            self.reject(record, f"{outcome.reason} (after {attempts} attempts)", outcome.error_code)

    def result(self, milliseconds: float) -> ProduceResult:
        return ProduceResult(
            acknowledged=self.acknowledged,
            partitions=tuple(self.offsets[partition] for partition in sorted(self.offsets)),
            dead_letters=tuple(self.dead_letters),
            requests=self.requests,
            retries=self.retries,
            sent_bytes=self.sent_bytes,
            milliseconds=milliseconds,
            dialect=self.dialect,
        )


def widen(ranges: dict[int, OffsetRange], seen: OffsetRange) -> None:
    """Make the range of a partition span what was seen."""
    known = ranges.get(seen.partition, seen)
    ranges[seen.partition] = OffsetRange(
        seen.partition,
        min(known.first_offset, seen.first_offset),
        max(known.last_offset, seen.last_offset),
    )
