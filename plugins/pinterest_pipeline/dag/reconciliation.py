"""The proof that no row was lost: where every source row of a run went, table by table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NotRequired, TypedDict

from pinterest_pipeline.common.offsets import Range, acknowledged_ranges, bounded, size
from pinterest_pipeline.common.tables import TABLES, table_of
from pinterest_pipeline.kafka_rest.summary import PartitionOffsets, SendSummary
from pinterest_pipeline.lake.gaps import BronzeOffsets
from pinterest_pipeline.lake.landing import CLOCK_TOLERANCE, sending_time

MAX_RANGES = 50  # of a table: each is one more condition on silver's rows


class AcknowledgedOffsets(TypedDict):
    """What Kafka acknowledged of one table, as the silver notebook takes it.

    ``offsets`` has ``[partition, first, last]``; ``sent_from`` and ``sent_until`` (ISO 8601) bound the records' Kafka
    timestamps: a topic that was created again has other records at the same offsets.
    """

    sent_from: str
    sent_until: str
    offsets: list[tuple[int, int, int]]


SMALLEST_ROUNDED_SHARE = 0.001
MOST_NAMED = 3  # objects in one sentence


class LakeTotals(TypedDict):
    """Rows of one table in the lake, over all runs."""

    bronze: int
    silver: int
    duplicates: int
    quarantined: int


class LakeResult(TypedDict):
    """What a notebook (silver, reprocess) counted in the lake; each count by table.

    ``quarantine_reasons`` and ``defects`` have rows by reason and by column; ``offsets`` is what silver says of bronze.
    """

    totals: Mapping[str, LakeTotals]
    quarantine_reasons: Mapping[str, Mapping[str, int]]
    defects: Mapping[str, Mapping[str, int]]
    counted_at: str
    offsets: NotRequired[Mapping[str, Sequence[BronzeOffsets]]]


class BronzeResult(TypedDict):
    """The result of the bronze notebook: ``unreadable`` names, by table, the objects that were ever left out."""

    unreadable: Mapping[str, Sequence[str]]


class SilverResult(LakeResult):
    """The result of the silver notebook; ``run`` has this run's records, by table and outcome."""

    run: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class TableCounts:
    """Where the rows of one table went in one run; every count is of rows or records.

    :param source: Rows that the source has in the run's window, counted apart from sending them.
    :param offsets: Offsets that were acknowledged, over all partitions; more than ``acknowledged`` only where so many
        others wrote in between that their offsets are not told apart.
    :param landed: Records of the run's time in bronze at these offsets.
    :param dead_letter_uri: Where the dead letters are, None where there are none.
    :param redriven: Dead letters that were sent again since, and delivered.
    """

    table: str
    source: int
    acknowledged: int
    dead_letters: int
    offsets: int
    landed: int
    silver: int
    duplicates: int
    quarantined: int
    lost: int
    dead_letter_uri: str | None = None
    redriven: int = 0

    @property
    def undelivered(self) -> int:
        """Dead letters that were not redriven."""
        return max(0, self.dead_letters - self.redriven)

    @property
    def undelivered_share(self) -> float:
        """Of the rows that the source has; 1 where it has none and yet there are dead letters."""
        return min(1.0, self.undelivered / self.source) if self.source else float(self.undelivered > 0)


def offsets_by_table(produced: Iterable[SendSummary]) -> dict[str, AcknowledgedOffsets]:
    """Return the acknowledged offsets by table; empty when nothing was acknowledged."""
    return {table_of(result["topic"]): offsets_of(result) for result in produced if result["partitions"]}


def offsets_of(sent: SendSummary) -> AcknowledgedOffsets:
    sent_from, sent_until = sending_time(sent)
    return AcknowledgedOffsets(
        sent_from=(sent_from - CLOCK_TOLERANCE).isoformat(),
        sent_until=(sent_until + CLOCK_TOLERANCE).isoformat(),
        offsets=[
            (part["partition"], first, last)
            for part in sent["partitions"]
            for first, last in ranges_of_partition(part, len(sent["partitions"]))
        ],
    )


def ranges_of_partition(part: PartitionOffsets, partition_count: int) -> list[Range]:
    return bounded(acknowledged_ranges(part), max(1, MAX_RANGES // partition_count))


def count_table(
    table: str, source: int, sent: SendSummary | None, outcomes: Mapping[str, int], redriven: Mapping[str, int]
) -> TableCounts:
    """Return the counts of one table; ``sent`` is None where the run sent nothing to its topic."""
    dead_letter_uri = sent["dead_letter_uri"] if sent else None
    return TableCounts(
        table=table,
        source=source,
        acknowledged=sent["acknowledged"] if sent else 0,
        dead_letters=sent["dead_letters"] if sent else 0,
        offsets=count_offsets(sent["partitions"]) if sent else 0,
        landed=outcomes.get("landed", 0),
        silver=outcomes.get("silver", 0),
        duplicates=outcomes.get("duplicates", 0),
        quarantined=outcomes.get("quarantined", 0),
        lost=outcomes.get("lost", 0),
        dead_letter_uri=dead_letter_uri,
        redriven=redriven.get(dead_letter_uri or "", 0),
    )


def count_offsets(partitions: Sequence[PartitionOffsets]) -> int:
    return sum(size(ranges_of_partition(part, len(partitions))) for part in partitions)


def discrepancies(counts: TableCounts) -> list[str]:
    """Return one sentence for each mismatch, with the numbers and where to look; empty when the counts match."""
    a = counts
    found = []
    if a.source != a.acknowledged + a.dead_letters:
        found.append(
            f"{a.table}: the source has {a.source} rows in the window, but {a.acknowledged} were acknowledged and "
            f"{a.dead_letters} are dead letters. The source changed while it was read: clear task group ingest."
        )
    if a.landed != a.offsets or a.landed < a.acknowledged:
        found.append(
            f"{a.table}: Kafka acknowledged {a.acknowledged} records at {a.offsets} offsets, but bronze has {a.landed} "
            "of them. Look for the rest in the topic of the connector's dead letters and under topics/ in the lake."
        )
    processed = a.silver + a.duplicates + a.quarantined
    if a.lost or a.landed != processed:
        found.append(
            f"{a.table}: {a.landed} records landed, but silver has {a.silver}, {a.duplicates} are duplicates and "
            f"{a.quarantined} in quarantine: {a.landed - processed} are missing, {a.lost} of them known as lost. "
            "Compare delta/bronze with delta/silver and delta/quarantine by partition and offset."
        )
    return found


def dead_letter_note(counts: TableCounts, max_share: float) -> str:
    """Say in one sentence how many rows of a table are dead letters, and whether that is too many."""
    relation = "above" if has_too_many_dead_letters(counts, max_share) else "within"
    redriven = f" ({counts.redriven:,} more were redriven)" if counts.redriven else ""
    return (
        f"{counts.table}: {counts.undelivered:,} of {counts.source:,} rows ({percent(counts.undelivered_share)}) are "
        f"dead letters{redriven}, {relation} the limit of {percent(max_share)} (max_dead_letter_share): each is with "
        f"its reason at {counts.dead_letter_uri}*; pinterest_redrive sends them again once it has gone."
    )


def has_too_many_dead_letters(counts: TableCounts, max_share: float) -> bool:
    return counts.undelivered > 0 and counts.undelivered_share > max_share


def percent(share: float) -> str:
    """Write a share with two decimals, or, where that is too coarse (1 of 3,000), with two digits."""
    number = f"{share * 100:.2f}".rstrip("0").rstrip(".") if share >= SMALLEST_ROUNDED_SHARE else f"{share * 100:.2g}"
    return f"{number} %"


@dataclass(frozen=True)
class Reconciliation:
    """The counts of one run, and what its silver stage counted in the lake.

    :param undated_rows: Rows of posts without a timestamp that the run left in the source, by table.
    :param lake: None when the run had nothing to process.
    """

    tables: tuple[TableCounts, ...]
    undated_rows: Mapping[str, int]
    lake: LakeResult | None

    def problems(self, *, max_dead_letter_share: float) -> list[str]:
        """Return why the run must fail; empty when it need not.

        :param max_dead_letter_share: Of each table's rows: 0.01 for one in a hundred, 0 for none.
        """
        found = [sentence for counts in self.tables for sentence in discrepancies(counts)]
        return found + [
            dead_letter_note(counts, max_dead_letter_share)
            for counts in self.tables
            if has_too_many_dead_letters(counts, max_dead_letter_share)
        ]

    def warnings(self, *, max_dead_letter_share: float) -> list[str]:
        """Return what adds up and is still worth a warning."""
        found = []
        for a in self.tables:
            if a.undelivered and not has_too_many_dead_letters(a, max_dead_letter_share):
                found.append(dead_letter_note(a, max_dead_letter_share))
            if a.offsets > a.acknowledged:
                found.append(
                    f"{a.table}: {a.offsets - a.acknowledged} records more than acknowledged lie between this run's "
                    "offsets: others wrote by turns with it, too often to tell all apart. Keys make them harmless."
                )
            if undated := self.undated_rows.get(a.table, 0):
                found.append(f"{a.table}: {undated} rows of posts without a timestamp stay behind: see the DAG's docs.")
        return found

    def run_rows(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the rows of ``audit.run_rows``."""
        return [run_row(counts, dag_id, run_id) for counts in self.tables]

    def lake_rows(self) -> list[dict[str, Any]]:
        """Return the rows of ``audit.lake_rows``: what the lake holds after this run, over all runs."""
        return lake_rows(self.lake) if self.lake else []


def reconcile(
    source_counts: Iterable[Sequence[Any]],
    produced: Iterable[SendSummary],
    silver: SilverResult | None,
    redriven: Mapping[str, int] = MappingProxyType({}),
) -> Reconciliation:
    """Bring the counts of the stages together.

    :param source_counts: Rows of ``include/sql/source/counts.sql``: table, rows to send, rows without a timestamp;
        what follows is not read.
    :param produced: Results of ``KafkaRestProduceOperator``, one per topic.
    :param silver: Result of the silver notebook, None when the run had nothing to process.
    :param redriven: Dead letters that were delivered since, by ``dead_letter_uri`` of ``produced``.
    """
    counts = {table: (int(rows), int(undated)) for table, rows, undated, *_ in source_counts}
    sent = {table_of(result["topic"]): result for result in produced}
    # A run that is cleared and finds nothing to send this time still has the result of the stage that it now skips.
    lake = silver if any(result["acknowledged"] for result in sent.values()) else None
    outcomes = lake["run"] if lake else {}
    return Reconciliation(
        tables=tuple(
            count_table(table, counts.get(table, (0, 0))[0], sent.get(table), outcomes.get(table, {}), redriven)
            for table in TABLES
        ),
        undated_rows={table: undated for table, (_, undated) in counts.items()},
        lake=lake,
    )


def unreadable_objects(table: str, names: Sequence[str]) -> str:
    """Say in one sentence which objects of the lake bronze left out."""
    return (
        f"{table}: {len(names)} objects of the lake cannot be read and were left out: {', '.join(names[:MOST_NAMED])}"
        f"{' …' if len(names) > MOST_NAMED else ''}. Put a readable copy beside each under another name, or send the "
        "days again; delete the object; then clear this task."
    )


def lake_rows(lake: LakeResult) -> list[dict[str, Any]]:
    """Return the rows of ``audit.lake_rows``, one per table."""
    return [
        {
            "table_name": table,
            "bronze_rows": totals["bronze"],
            "silver_rows": totals["silver"],
            "duplicate_rows": totals["duplicates"],
            "quarantined_rows": totals["quarantined"],
            "quarantine_reasons": lake["quarantine_reasons"].get(table, {}),
            "defects": lake["defects"].get(table, {}),
            "counted_at": lake["counted_at"],
        }
        for table, totals in sorted(lake["totals"].items())
    ]


def run_row(counts: TableCounts, dag_id: str, run_id: str) -> dict[str, Any]:
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "table_name": counts.table,
        "source_rows": counts.source,
        "acknowledged_rows": counts.acknowledged,
        "dead_letter_rows": counts.dead_letters,
        "landed_rows": counts.landed,
        "silver_rows": counts.silver,
        "duplicate_rows": counts.duplicates,
        "quarantined_rows": counts.quarantined,
        "lost_rows": counts.lost,
        "dead_letter_uri": counts.dead_letter_uri,
    }
