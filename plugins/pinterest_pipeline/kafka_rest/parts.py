"""Which records of a batch share a request, while some must be sent again: pure decisions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.batches import REQUEST_BYTES, record_bytes


@dataclass(frozen=True)
class Part:
    """Records to send in one request.

    :param indexes: Their places in the batch.
    :param blamed_at: Number of the newest request when one with these records first failed for a reason that may be
        theirs; None where none did.
    :param failures: Requests with these very records that failed so.
    :param is_suspect: Kafka refused them for a reason that may be a neighbour's: such parts go one at a time.
    """

    indexes: tuple[int, ...]
    blamed_at: int | None = None
    failures: int = 0
    is_suspect: bool = False

    @property
    def is_alone(self) -> bool:
        return len(self.indexes) == 1

    def of(self, indexes: Iterable[int]) -> "Part":
        """Return a part with some of the records, itself where these are all."""
        chosen = tuple(indexes)
        return self if chosen == self.indexes else replace(self, indexes=chosen, failures=0)

    def blamed(self, number: int) -> "Part":
        """Return the part blamed since a request of this number, unless it is already."""
        return self if self.blamed_at is not None else replace(self, blamed_at=number)

    def halves(self) -> tuple["Part", "Part"]:
        """Return the first and the second half."""
        middle = len(self.indexes) // 2
        return self.of(self.indexes[:middle]), self.of(self.indexes[middle:])


def parts_within(indexes: Sequence[int], records: Sequence[Record], max_bytes: int | None) -> list[Part]:
    """Return parts of the records, in order, none of several records beyond ``max_bytes``."""
    if max_bytes is None:
        return [Part(tuple(indexes))] if indexes else []
    parts: list[Part] = []
    chosen: list[int] = []
    size = REQUEST_BYTES
    for index in indexes:
        more = record_bytes(records[index])
        if chosen and size + more > max_bytes:
            parts.append(Part(tuple(chosen)))
            chosen, size = [], REQUEST_BYTES
        chosen.append(index)
        size += more
    return [*parts, Part(tuple(chosen))] if chosen else parts


def merged(parts: Sequence[Part]) -> Part:
    """Return one part of all, in their order, blamed as early as the first of them."""
    blamed = [part.blamed_at for part in parts if part.blamed_at is not None]
    return Part(
        indexes=tuple(index for part in parts for index in part.indexes),
        blamed_at=min(blamed, default=None),
        failures=max(part.failures for part in parts),
    )
