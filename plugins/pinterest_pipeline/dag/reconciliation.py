"""The proof that no row was lost: where every source row of a run went, table by table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinterest_pipeline.common.tables import TABLES, table_of


@dataclass(frozen=True)
class TableAccount:
    """Where the rows of one table went in one run; every count is of rows or records.

    :param source: Rows that the source has in the run's window, counted apart from sending them.
    :param offsets: Offsets from the first to the last acknowledged one, over all partitions. More than
        ``acknowledged`` when a request was sent again after an unclear answer, or when somebody else wrote in between.
    :param landed: Records in bronze at these offsets.
    :param dead_letter_uri: Where the dead letters are, None where there are none.
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


def offsets_by_table(produced: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, int]]]:
    """Return the acknowledged offsets by table and partition; empty when nothing was acknowledged."""
    return {table_of(result["topic"]): result["partitions"] for result in produced if result["partitions"]}


def account(table: str, source: int, sent: Mapping[str, Any], silver: Mapping[str, int]) -> TableAccount:
    ranges = sent.get("partitions", [])
    return TableAccount(
        table=table,
        source=source,
        acknowledged=sent.get("acknowledged", 0),
        dead_letters=sent.get("dead_letters", 0),
        offsets=sum(part["last_offset"] - part["first_offset"] + 1 for part in ranges),
        landed=silver.get("landed", 0),
        silver=silver.get("silver", 0),
        duplicates=silver.get("duplicates", 0),
        quarantined=silver.get("quarantined", 0),
        lost=silver.get("lost", 0),
        dead_letter_uri=sent.get("dead_letter_uri"),
    )


def discrepancies(account: TableAccount) -> list[str]:
    """Return what does not add up, one sentence each with the numbers and where to look; empty when all does."""
    a = account
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
    settled = a.silver + a.duplicates + a.quarantined
    if a.lost or a.landed != settled:
        found.append(
            f"{a.table}: {a.landed} records landed, but silver has {a.silver}, {a.duplicates} are duplicates and "
            f"{a.quarantined} in quarantine: {a.landed - settled} are missing, {a.lost} of them known as lost. "
            "Compare delta/bronze with delta/silver and delta/quarantine by partition and offset."
        )
    return found


def dead_letter_note(account: TableAccount) -> str:
    return f"{account.table}: {account.dead_letters} rows are dead letters, see {account.dead_letter_uri}."


def remarks(accounts: Sequence[TableAccount], undated_rows: Mapping[str, int]) -> list[str]:
    """Return what adds up and is still worth a warning."""
    found = []
    for a in accounts:
        if a.dead_letters:
            found.append(dead_letter_note(a))
        if a.offsets > a.acknowledged:
            found.append(
                f"{a.table}: {a.offsets - a.acknowledged} records more than acknowledged lie between this run's "
                "offsets: sent again after an unclear answer, or written by another run. Keys make them harmless."
            )
        if undated := undated_rows.get(a.table, 0):
            found.append(f"{a.table}: {undated} rows of posts without a timestamp stay behind: see the DAG's docs.")
    return found


@dataclass(frozen=True)
class Books:
    """The accounts of one run, and what its silver stage said of the lake.

    :param silver: Result of the silver notebook; empty when the run had nothing to process.
    """

    accounts: tuple[TableAccount, ...]
    undated_rows: Mapping[str, int]
    silver: Mapping[str, Any]

    def problems(self, *, fail_on_dead_letters: bool) -> list[str]:
        """Return why the run must fail; empty when it need not."""
        found = [sentence for account in self.accounts for sentence in discrepancies(account)]
        if fail_on_dead_letters:
            found += [dead_letter_note(account) for account in self.accounts if account.dead_letters]
        return found

    def remarks(self) -> list[str]:
        """Return what adds up and is still worth a warning."""
        return remarks(self.accounts, self.undated_rows)

    def run_rows(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the rows of ``audit.run_rows``."""
        return [run_row(account, dag_id, run_id) for account in self.accounts]

    def lake_rows(self) -> list[dict[str, Any]]:
        """Return the rows of ``audit.lake_rows``: what the lake holds after this run, over all runs."""
        return [
            {
                "table_name": table,
                "bronze_rows": totals["bronze"],
                "silver_rows": totals["silver"],
                "duplicate_rows": totals["duplicates"],
                "quarantined_rows": totals["quarantined"],
                "quarantine_reasons": self.silver["quarantine_reasons"].get(table, {}),
                "defects": self.silver["defects"].get(table, {}),
                "counted_at": self.silver["counted_at"],
            }
            for table, totals in sorted(self.silver.get("totals", {}).items())
        ]


def balance(
    source_counts: Iterable[Sequence[Any]], produced: Iterable[Mapping[str, Any]], silver: Mapping[str, Any] | None
) -> Books:
    """Bring the numbers of the stages together.

    :param source_counts: Rows of ``include/sql/source/counts.sql``: table, rows to send, rows without a timestamp.
    :param produced: Results of ``KafkaRestProduceOperator``, one per topic.
    :param silver: Result of the silver notebook, None when the run had nothing to process.
    """
    counts = {table: (int(rows), int(undated)) for table, rows, undated in source_counts}
    sent = {table_of(result["topic"]): result for result in produced}
    # A run that is cleared and finds nothing to send this time still has the result of the stage that it now skips.
    stage = (silver or {}) if any(result["acknowledged"] for result in sent.values()) else {}
    settled = stage.get("run", {})
    return Books(
        accounts=tuple(
            account(table, counts.get(table, (0, 0))[0], sent.get(table, {}), settled.get(table, {}))
            for table in TABLES
        ),
        undated_rows={table: undated for table, (_, undated) in counts.items()},
        silver=stage,
    )


def run_row(account: TableAccount, dag_id: str, run_id: str) -> dict[str, Any]:
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "table_name": account.table,
        "source_rows": account.source,
        "acknowledged_rows": account.acknowledged,
        "dead_letter_rows": account.dead_letters,
        "landed_rows": account.landed,
        "silver_rows": account.silver,
        "duplicate_rows": account.duplicates,
        "quarantined_rows": account.quarantined,
        "lost_rows": account.lost,
    }
