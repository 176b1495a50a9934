"""Does Kafka have a record at some offsets? Through the consumers of REST API v2, which all three proxies have.

A transaction's marker and a compacted record leave an offset at which there is no record, and no other question to the
proxy tells that from a record that was lost. The proxy needs the right to read the topic and the group.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from pinterest_pipeline.common.errors import PermanentError, PipelineError
from pinterest_pipeline.common.offsets import Range
from pinterest_pipeline.kafka_rest.endpoint import METADATA

GROUP = "pinterest-gap-check"  # commits nothing: positions are set, and the instance is deleted
BINARY = "application/vnd.kafka.binary.v2+json"
SETTINGS = {"format": "binary", "auto.offset.reset": "earliest", "auto.commit.enable": "false"}
POLL_MS = 3000
MAX_BYTES = 1_000_000  # of one answer; the smaller of this and a large record
MAX_POLLS = 200  # of one call: about as many megabytes
SILENT_POLLS = 3  # in a row, after a record that is known to be there
Call = Callable[..., bytes]
log = logging.getLogger(__name__)


def empty_ranges(call: Call, topic: str, partition: int, ranges: Sequence[Range]) -> list[Range]:
    """Return those of the ranges, sorted and apart, at which Kafka has no record.

    Reading begins at the record before a range, so that an answer without any proves something. A range of which it is
    not certain is not returned.

    :param call: Makes one request: ``(method, path, what, body=, media=)``.
    :raises PermanentError: the proxy has no consumers, or may not read the topic.
    """
    if not ranges:
        return []
    with reader(call, topic, partition) as read_from:
        return list(Proof(read_from).of(ranges))


class Proof:
    """Reads as little as the proof of some ranges takes.

    :param read_from: Returns the offsets of the records from an offset on, in order, or those that follow.
    """

    def __init__(self, read_from: Callable[[int | None], list[int]]) -> None:
        self._read_from = read_from
        self._polls = MAX_POLLS

    def of(self, ranges: Sequence[Range]) -> Iterator[Range]:
        begin = 0
        seen: list[int] = []  # offsets of the records from begin on, of all up to the last of them
        for first, last in ranges:
            if not (seen and begin < first and last < seen[-1]):
                begin, seen = first - 1, self._through(first - 1, last)
            has_neighbour = bool(seen) and seen[0] <= first - 1
            if (has_neighbour or (seen and seen[-1] > last)) and not any(first <= one <= last for one in seen):
                yield first, last

    def _through(self, begin: int, last: int) -> list[int]:
        """Return the offsets of the records from ``begin`` to the first behind ``last``; none where nothing comes."""
        found: list[int] = []
        start: int | None = max(0, begin)
        silent = 0
        while silent < SILENT_POLLS and not (found and found[-1] > last):
            if self._polls == 0:
                return []
            self._polls -= 1
            read = self._read_from(start)
            start, silent = None, 0 if read else silent + 1
            found += read
            if any(begin < one <= last for one in read):
                break  # a record is there: the range is not empty
        return found


@contextmanager
def reader(call: Call, topic: str, partition: int) -> Iterator[Callable[[int | None], list[int]]]:
    """Yield a function that reads a partition from an offset on, or on from where it was."""
    what = f"reading topic {topic}, partition {partition}"
    media = (METADATA, METADATA)
    place = {"topic": topic, "partition": partition}

    def post(path: str, content: dict[str, Any]) -> bytes:
        return call("POST", path, what, body=json.dumps(content).encode(), media=media)

    name = f"{GROUP}-{uuid.uuid4().hex[:12]}"
    post(f"/consumers/{GROUP}", {"name": name, **SETTINGS})
    instance = f"/consumers/{GROUP}/instances/{quote(name, safe='')}"

    def read_from(offset: int | None) -> list[int]:
        if offset is not None:
            post(f"{instance}/positions", {"offsets": [{**place, "offset": offset}]})
        path = f"{instance}/records?timeout={POLL_MS}&max_bytes={MAX_BYTES}"
        answer = call("GET", path, what, media=(BINARY, METADATA))
        try:
            return sorted(int(one["offset"]) for one in json.loads(answer) if int(one["partition"]) == partition)
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentError(f"{what}: the answer has no records with their offsets, as API v2 has") from error

    try:
        post(f"{instance}/assignments", {"partitions": [place]})
        yield read_from
    finally:
        try:
            call("DELETE", instance, what, media=media)
        except PipelineError as error:
            log.info("The proxy's consumer %s ends by itself after some minutes: %s", name, error)
