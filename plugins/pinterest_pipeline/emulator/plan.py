"""The plan of the user emulation: which post comes next, when, and what is sent for it. Pure: no Airflow, no client.

All chance is a hash of the seed, a purpose and the post's position, never a running generator: what is sent for a
position is the same, byte for byte, whether a run began there or earlier, on any machine and version of Python.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from math import ceil, isfinite
from typing import NamedTuple

from pinterest_pipeline.common.tables import TABLES
from pinterest_pipeline.emulator.defects import corrupted

MOST_POSTS_PER_SECOND = 5_000
FEISTEL_ROUNDS = 6
DRAW_BITS = 53  # what a float holds exactly: a draw never rounds up to 1


class Mode(StrEnum):
    """How posts are chosen."""

    SHUFFLED = "shuffled"  # each once, in an order that the seed gives
    CLASSIC = "classic"  # drawn with replacement, as in the original exercise


class Kind(StrEnum):
    """What a sent record is."""

    ROW = "row"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Plan:
    """What to emulate.

    :param rate: Posts a second, more than 0; every post is three records.
    :param count: Posts to send at most, 1 or more; ``shuffled`` ends after the last post of the source.
    :param start: Position of the first post, 0 or more: where an earlier run with the same seed and mode ended.
    :param duration_seconds: Ends the run earlier; None = no limit.
    :param duplicates: Part of the records that are sent twice, 0 to 1.
    :param malformed: Part of the records that are followed by a broken copy, 0 to 1. The row itself is sent too, so
        that ``shuffled`` stays exhaustive.
    :param late: Part of the records that come ``late_seconds`` after their post's moment, 0 to 1.
    :param reorder_window: Posts by which a record may fall behind, 0 or more.
    :raises ValueError: naming everything that is out of range.
    """

    rate: float
    count: int
    mode: str = Mode.SHUFFLED
    seed: int = 7
    start: int = 0
    duration_seconds: float | None = None
    duplicates: float = 0.0
    malformed: float = 0.0
    late: float = 0.0
    late_seconds: float = 30.0
    reorder_window: int = 0

    def __post_init__(self) -> None:
        problems = []
        if not (isfinite(self.rate) and 0 < self.rate <= MOST_POSTS_PER_SECOND):
            problems.append(
                f"rate is {self.rate}, expected more than 0 and at most {MOST_POSTS_PER_SECOND:,} posts a second"
            )
        if self.mode not in set(Mode):
            problems.append(f"mode is {self.mode!r}, expected {' or '.join(Mode)}")
        problems += [
            f"{name} is {value}, expected {least} or more"
            for name, value, least in (
                ("count", self.count, 1), ("seed", self.seed, 0), ("start", self.start, 0),
                ("reorder_window", self.reorder_window, 0), ("late_seconds", self.late_seconds, 0),
            )
            if not value >= least
        ]  # fmt: skip
        if self.duration_seconds is not None and not self.duration_seconds > 0:
            problems.append(f"duration_seconds is {self.duration_seconds}, expected more than 0")
        problems += [
            f"{name} is {getattr(self, name)}, expected 0 to 1"
            for name in ("duplicates", "malformed", "late")
            if not 0 <= getattr(self, name) <= 1
        ]
        if problems:
            raise ValueError(f"Cannot emulate posts: {'; '.join(problems)}.")

    def end(self, ids: Sequence[int]) -> int:
        """Return the position after the last post."""
        last = self.start + self.count
        return last if self.mode == Mode.CLASSIC else max(self.start, min(last, len(ids)))

    def due_seconds(self, position: int) -> float:
        """Return when a post is due, from the start of the run: somewhere within its own ``1 / rate`` seconds."""
        return (position - self.start + draw(self.seed, "moment", position)) / self.rate

    def delay(self, position: int, table: str, kind: Kind) -> tuple[int, bool]:
        """Return how many posts after its own a record is sent, and whether that is because it is late."""
        if self.late and draw(self.seed, "late", position, table, kind) < self.late:
            return max(1, ceil(self.late_seconds * self.rate)), True
        if not self.reorder_window:
            return 0, False
        return int(draw(self.seed, "order", position, table, kind) * (self.reorder_window + 1)), False


class Post(NamedTuple):
    """A post of the source: its rows as the JSON texts of the wire (UTF-8), by table; a table may have none."""

    position: int
    post_id: int
    rows: Mapping[str, bytes]


class Emission(NamedTuple):
    """One record to send.

    :param key: The post's id as text, whatever ``data`` says.
    :param defect: What is wrong with it, of ``defects.DEFECTS``; None unless ``kind`` is malformed.
    :param delay: Posts by which it fell behind its own.
    """

    position: int
    table: str
    key: str
    data: bytes
    kind: Kind
    defect: str | None
    delay: int
    is_late: bool


def draw(seed: int, *purpose: object) -> float:
    """Return a number from 0 up to 1 that depends on nothing but the arguments."""
    text = "/".join(map(str, (seed, *purpose)))
    number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
    return float((number >> (64 - DRAW_BITS)) / 2**DRAW_BITS)


class Shuffle(Sequence[int]):
    """A permutation of ``0 .. size - 1`` that is computed place by place and so holds nothing and resumes anywhere.

    A Feistel network permutes the next power of four; a value beyond ``size`` is sent through again until it is in.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed
        self.half_bits = max(1, ((size - 1).bit_length() + 1) // 2)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, place: int) -> int:  # type: ignore[override]
        if not 0 <= place < self.size:
            raise IndexError(place)
        value = self._permuted(place)
        while value >= self.size:
            value = self._permuted(value)
        return value

    def _permuted(self, value: int) -> int:
        mask = (1 << self.half_bits) - 1
        left, right = value >> self.half_bits, value & mask
        for turn in range(FEISTEL_ROUNDS):
            left, right = right, left ^ int(draw(self.seed, "shuffle", turn, right) * (mask + 1))
        return left << self.half_bits | right


def chosen(plan: Plan, ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield position and post id in the order of sending, from ``plan.start`` on."""
    places = Shuffle(len(ids), plan.seed)
    for position in range(plan.start, plan.end(ids)):
        if plan.mode == Mode.CLASSIC:
            yield position, ids[int(draw(plan.seed, "classic", position) * len(ids))]
        else:
            yield position, ids[places[position]]


class Timeline:
    """Puts each record of each post at its place: with its post, or behind later ones."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._waiting: list[tuple[int, int, Emission]] = []
        self._made = 0

    def at(self, post: Post) -> list[Emission]:
        """Take a post in and return what is sent at its moment: records of its own and of earlier posts."""
        for emission in emissions(self.plan, post):
            heapq.heappush(self._waiting, (post.position + emission.delay, self._made, emission))
            self._made += 1
        return self._up_to(post.position)

    def rest(self) -> list[Emission]:
        """Return what is still waiting, in its order: no record stays behind when a run ends."""
        return self._up_to(None)

    def first_waiting(self) -> int | None:
        """Return the lowest position of which a record is still to be sent."""
        return min((emission.position for _, _, emission in self._waiting), default=None)

    def _up_to(self, position: int | None) -> list[Emission]:
        due = []
        while self._waiting and (position is None or self._waiting[0][0] <= position):
            due.append(heapq.heappop(self._waiting)[2])
        return due


def emissions(plan: Plan, post: Post) -> Iterable[Emission]:
    """Yield the records of one post: each row once, and what the plan adds."""
    key = str(post.post_id)
    for table in TABLES:
        if table not in post.rows:
            continue
        row = post.rows[table]
        sent: list[tuple[Kind, bytes, str | None]] = [(Kind.ROW, row, None)]
        if plan.duplicates and draw(plan.seed, "duplicate", post.position, table) < plan.duplicates:
            sent.append((Kind.DUPLICATE, row, None))
        if plan.malformed and draw(plan.seed, "malformed", post.position, table) < plan.malformed:
            which, where = (draw(plan.seed, purpose, post.position, table) for purpose in ("defect", "cut"))
            name, broken = corrupted(table, row, which, where)
            sent.append((Kind.MALFORMED, broken, name))
        for kind, data, defect in sent:
            delay, is_late = plan.delay(post.position, table, kind)
            yield Emission(post.position, table, key, data, kind, defect, delay, is_late)
