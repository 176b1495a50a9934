"""The pace of emulated posts: read ahead, wait for each post's moment, send, and count. The clock is the caller's."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import batched
from typing import TypedDict

from pinterest_pipeline.common.tables import TABLES
from pinterest_pipeline.emulator.plan import Emission, Kind, Mode, Plan, Post, Timeline, chosen

POSTS_PER_READ = 200  # bounds the memory; three queries each
MOST_RECORDS_PER_SEND = 500  # of one table: Kinesis PutRecords service limit


class EmulationSummary(TypedDict):
    """What a run sent. ``malformed`` has records by defect, ``put`` acknowledged records by table."""

    mode: str
    seed: int
    start: int
    next_position: int
    exhausted: bool
    posts: int
    rows: int
    duplicates: int
    malformed: dict[str, int]
    late: int
    reordered: int
    missing_rows: int
    put: dict[str, int]
    bytes: int
    seconds: float
    most_behind_seconds: float


class EmulationResult(EmulationSummary):
    """The result of a task, over all its tries."""

    kafka_rows: int


type Rows = Mapping[str, Mapping[int, bytes]]  # by table and post id, the JSON text of the wire


class Emulation:
    """One run of a plan; used once, by one thread.

    :param ids: All post ids of the source, in a fixed order.
    :param read_rows: Returns the rows of some posts; called with at most ``POSTS_PER_READ`` ids.
    :param send: Sends records of one table and returns once they are acknowledged; it may be called twice for the
        same records, after an error in a later call.
    :param wait: Waits so many seconds and tells whether to stop, as ``threading.Event.wait`` does.
    :param on_progress: Called after every sending.
    """

    def __init__(
        self,
        plan: Plan,
        ids: Sequence[int],
        read_rows: Callable[[Sequence[int]], Rows],
        send: Callable[[str, Sequence[Emission]], None],
        *,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
        on_progress: Callable[["Emulation"], None] = lambda _: None,
    ) -> None:
        self.plan = plan
        self.ids = ids
        self.counts: Counter[str] = Counter()
        self.put: Counter[str] = Counter()
        self.defects: Counter[str] = Counter()
        self.next_position = plan.start
        self.seconds = 0.0
        self.most_behind_seconds = 0.0
        self.was_stopped = False
        self._read_rows = read_rows
        self._send = send
        self._wait = wait
        self._clock = clock
        self.on_progress = on_progress
        self._timeline = Timeline(plan)
        self._unsent: dict[str, list[Emission]] = {table: [] for table in TABLES}

    @property
    def end(self) -> int:
        """The position after the last post of the plan."""
        return self.plan.end(self.ids)

    @property
    def is_exhausted(self) -> bool:
        """Whether no post of the source is left for this seed."""
        return self.plan.mode == Mode.SHUFFLED and self.next_position >= len(self.ids)

    @property
    def resume_position(self) -> int:
        """Where to start again after an error: every record of the posts before it is acknowledged."""
        unsent = [emission.position for records in self._unsent.values() for emission in records]
        waiting = self._timeline.first_waiting()
        return min([self.next_position, *unsent, *([] if waiting is None else [waiting])])

    def run(self) -> EmulationSummary:
        """Send the plan's posts, or as many as come before a stop or the time limit, and return :meth:`summary`.

        A run that stops sends first what fell behind: the next one starts at ``next_position`` and repeats nothing.
        """
        began = self._clock()
        for post in self._posts():
            if self._waited_until(began, post.position):
                break
            self._take(self._timeline.at(post), post)
            self.seconds = self._clock() - began
        self._take(self._timeline.rest())
        self._flush()
        self.seconds = self._clock() - began
        return self.summary()

    def summary(self) -> EmulationSummary:
        """Return the counts so far."""
        return EmulationSummary(
            mode=str(self.plan.mode),
            seed=self.plan.seed,
            start=self.plan.start,
            next_position=self.next_position,
            exhausted=self.is_exhausted,
            posts=self.counts["posts"],
            rows=self.counts[Kind.ROW],
            duplicates=self.counts[Kind.DUPLICATE],
            malformed=dict(sorted(self.defects.items())),
            late=self.counts["late"],
            reordered=self.counts["reordered"],
            missing_rows=self.counts["missing_rows"],
            put={table: self.put[table] for table in TABLES},
            bytes=self.counts["bytes"],
            seconds=round(self.seconds, 3),
            most_behind_seconds=round(self.most_behind_seconds, 3),
        )

    def _posts(self) -> Iterator[Post]:
        for ahead in batched(chosen(self.plan, self.ids), POSTS_PER_READ):
            rows = self._read_rows(sorted({post_id for _, post_id in ahead}))
            for position, post_id in ahead:
                found = {table: rows[table][post_id] for table in TABLES if post_id in rows[table]}
                yield Post(position, post_id, found)

    def _waited_until(self, began: float, position: int) -> bool:
        """Wait for a post's moment, sending first what is ready; True where the run is to end before it."""
        due = self.plan.due_seconds(position)
        limit = self.plan.duration_seconds
        if limit is not None and max(due, self._clock() - began) >= limit:
            return True
        ahead = due - (self._clock() - began)
        if ahead > 0:
            self._flush()
            ahead = due - (self._clock() - began)
        self.most_behind_seconds = max(self.most_behind_seconds, -ahead)
        self.was_stopped = self._wait(max(ahead, 0.0))
        return self.was_stopped

    def _take(self, due: Sequence[Emission], post: Post | None = None) -> None:
        for emission in due:
            self._unsent[emission.table].append(emission)
        if post is not None:
            self.next_position = post.position + 1
            self.counts["posts"] += 1
            self.counts["missing_rows"] += len(TABLES) - len(post.rows)
        if any(len(records) >= MOST_RECORDS_PER_SEND for records in self._unsent.values()):
            self._flush()

    def _flush(self) -> None:
        for table, records in self._unsent.items():
            while records:
                part = records[:MOST_RECORDS_PER_SEND]
                self._send(table, part)
                del records[: len(part)]
                self._count(table, part)
        self.on_progress(self)

    def _count(self, table: str, sent: Sequence[Emission]) -> None:
        self.put[table] += len(sent)
        for emission in sent:
            self.counts[emission.kind] += 1
            self.counts["bytes"] += len(emission.data)
            self.counts["late"] += emission.is_late
            self.counts["reordered"] += bool(emission.delay) and not emission.is_late
            if emission.defect:
                self.defects[emission.defect] += 1


def added(earlier: EmulationSummary, later: EmulationSummary) -> EmulationSummary:
    """Return one summary of two runs of one plan, of which the later continued the earlier."""
    return EmulationSummary(
        mode=later["mode"],
        seed=later["seed"],
        start=earlier["start"],
        next_position=later["next_position"],
        exhausted=later["exhausted"],
        posts=earlier["posts"] + later["posts"],
        rows=earlier["rows"] + later["rows"],
        duplicates=earlier["duplicates"] + later["duplicates"],
        malformed=dict(Counter(earlier["malformed"]) + Counter(later["malformed"])),
        late=earlier["late"] + later["late"],
        reordered=earlier["reordered"] + later["reordered"],
        missing_rows=earlier["missing_rows"] + later["missing_rows"],
        put=dict(Counter(earlier["put"]) + Counter(later["put"])),
        bytes=earlier["bytes"] + later["bytes"],
        seconds=earlier["seconds"] + later["seconds"],
        most_behind_seconds=max(earlier["most_behind_seconds"], later["most_behind_seconds"]),
    )
