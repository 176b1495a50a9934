"""Publishing the answers: schema ``gold`` becomes what ``gold_staging`` holds, in one transaction.

What is published is audited before the transaction ends: where a check finds a defect it is rolled back.

The statements are made from the declarations. A declaration's names are letters, digits and underscores, and its types
are among four, so that they can stand in a statement. Needs the standard library and a DB-API cursor only.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pinterest_pipeline.warehouse.answers import FOLDER, TOMORROW, Answer, AnswerError, Bounds, read_answers

# The notebook writes this row before it replaces the staged answers, so that it waits while a publication holds it
LOCK = "SELECT versions FROM gold_staging.load FOR UPDATE"
SHAPE = """
SELECT
    (SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
     FROM pg_attribute WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped),
    (SELECT array_agg(attname::text ORDER BY place)
     FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS part (attnum, place)
     JOIN pg_attribute USING (attnum)
     WHERE conrelid = to_regclass(%(table)s) AND contype = 'p' AND attrelid = conrelid)
"""
READ_PUBLISHED = "SELECT name, row_count FROM audit.answers"
FORGET = "DELETE FROM audit.answers WHERE name = %s"
RECORD = """
INSERT INTO audit.answers (name, version, definition, row_count, published_at) VALUES (%s, %s, %s, %s, now())
ON CONFLICT (name) DO UPDATE SET version = excluded.version, definition = excluded.definition,
    row_count = excluded.row_count, published_at = excluded.published_at
"""
THIS_YEAR = "extract(year FROM now() AT TIME ZONE 'UTC' + interval '1 day')"


class Publication(NamedTuple):
    """Rows of each answer, as published before and as published now."""

    before: dict[str, int]
    after: dict[str, int]


def publish(cursor: Any, answers: Sequence[Answer]) -> Publication:
    """Make schema ``gold`` equal to the staged answers; the caller audits what it sees now, and commits.

    A table that is missing, or has other columns or another key than declared, is created, since all its rows are
    staged. The table of an answer that is declared no more is dropped. A second call changes no row.

    :raises AnswerError: nothing was ever staged, or another version of an answer than the declared one.
    """
    cursor.execute(LOCK)
    check_versions(cursor.fetchone(), answers)
    cursor.execute(READ_PUBLISHED)
    before = {str(name): int(rows) for name, rows in cursor.fetchall()}
    counts = {}
    for answer in answers:
        ensure_table(cursor, answer)
        cursor.execute(merge(answer))
        cursor.execute(f"SELECT count(*) FROM {table('gold', answer)}")  # noqa: S608 - checked names
        counts[answer.name] = int(cursor.fetchone()[0])
        cursor.execute(RECORD, (answer.name, answer.version, answer.text, counts[answer.name]))
    for name in sorted(before.keys() - counts.keys()):
        cursor.execute(f'DROP TABLE IF EXISTS gold."{name}"')
        cursor.execute(FORGET, (name,))
    return Publication(before, counts)


def check_versions(load: Sequence[Any] | None, answers: Iterable[Answer]) -> None:
    """Refuse to publish what was computed from other files than these."""
    if load is None:
        raise AnswerError("gold_staging was never loaded: run the gold stage of pinterest_daily_batch first.")
    staged: Mapping[str, str] = load[0]
    declared = {answer.name: answer.version for answer in answers}
    different = [
        f"{name} (staged {staged.get(name, 'not at all')}, declared {declared.get(name, 'not at all')})"
        for name in sorted(staged.keys() | declared.keys())
        if staged.get(name) != declared.get(name)
    ]
    if different:
        raise AnswerError(
            f"Staged are other versions of answers than {FOLDER} here declares: {'; '.join(different)}. "
            f"Deploy the same {FOLDER} to the Databricks workspace and to Airflow, then clear task gold. "
            "The published answers are unchanged."
        )


def table(schema: str, answer: Answer) -> str:
    return f'{schema}."{answer.name}"'


def quoted(names: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{name}"' for name in names)


def ensure_table(cursor: Any, answer: Answer) -> None:
    """Create the table where it is missing, and again where its columns or its key are not the declared ones."""
    name = table("gold", answer)
    cursor.execute(SHAPE, {"table": name})
    columns, key = cursor.fetchone()
    if columns == [f"{column} {kind}" for column, kind in answer.columns.items()] and key == list(answer.key):
        return
    if columns is not None:
        cursor.execute(f"DROP TABLE {name}")
    cursor.execute(create_table(name, answer))


def create_table(name: str, answer: Answer) -> str:
    columns = ", ".join(f'"{column}" {kind} NOT NULL' for column, kind in answer.columns.items())
    return f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({quoted(answer.key)}))"


def merge(answer: Answer) -> str:
    """Return the statement that inserts, updates and deletes what differs, and nothing else."""
    on = " AND ".join(f'target."{name}" = staged."{name}"' for name in answer.key)
    differs = f"({quoted(answer.value, 'target.')}) IS DISTINCT FROM ({quoted(answer.value, 'staged.')})"
    assigned = ", ".join(f'"{name}" = staged."{name}"' for name in answer.value)
    return f"""
        MERGE INTO {table("gold", answer)} AS target USING {table("gold_staging", answer)} AS staged ON {on}
        WHEN MATCHED AND {differs} THEN UPDATE SET {assigned}
        WHEN NOT MATCHED BY TARGET THEN
            INSERT ({quoted(answer.columns)}) VALUES ({quoted(answer.columns, "staged.")})
        WHEN NOT MATCHED BY SOURCE THEN DELETE
    """  # noqa: S608 - checked names


def all_checks(answers: Path, files: Path | None) -> dict[str, str]:
    """Return the checks by name: those that follow from the declarations, then the files, for rules of their own."""
    declared = {name: statement for answer in read_answers(answers) for name, statement in checks(answer).items()}
    return declared | {
        file.stem: file.read_text(encoding="utf-8") for file in sorted(files.glob("*.sql") if files else ())
    }


def checks(answer: Answer) -> dict[str, str]:
    """Return the checks that follow from a declaration: statements by name, which return rows where it is broken."""
    gold, staging = table("gold", answer), table("gold_staging", answer)
    found = {
        f"{answer.name}_has_the_staged_rows": f"""
            SELECT gold_rows, staged_rows
            FROM (SELECT count(*) AS gold_rows FROM {gold}) AS published,
                (SELECT count(*) AS staged_rows FROM {staging}) AS staged
            WHERE gold_rows <> staged_rows"""  # noqa: S608 - checked names
    }
    if answer.ties:
        column, per = answer.ties.column, answer.ties.per
        shown = "".join(f'"{name}", ' for name in per)
        group = f"GROUP BY {quoted(per)}" if per else ""
        found[f"{answer.name}_ties_share_one_{column}"] = f"""
            SELECT {shown}min("{column}") AS least, max("{column}") AS most
            FROM {gold} {group} HAVING min("{column}") <> max("{column}") LIMIT 20"""  # noqa: S608 - checked names
    for column, kind in answer.columns.items():
        if broken := [*out_of_bounds(column, answer.bounds.get(column, Bounds())), *no_number(column, kind)]:
            found[f"{answer.name}_{column}_is_possible"] = f"""
                SELECT {quoted(answer.columns)} FROM {gold}
                WHERE {" OR ".join(broken)} ORDER BY {quoted(answer.key)} LIMIT 20"""  # noqa: S608 - checked names
    return found


def out_of_bounds(column: str, bounds: Bounds) -> Iterable[str]:
    if bounds.least is not None:
        yield f'"{column}" < {bounds.least}'
    if bounds.most is not None:
        yield f'"{column}" > {THIS_YEAR if bounds.most == TOMORROW else bounds.most}'
    if bounds.one_of:
        texts = ", ".join("'{}'".format(text.replace("'", "''")) for text in bounds.one_of)
        yield f'"{column}" NOT IN ({texts})'


def no_number(column: str, kind: str) -> Iterable[str]:
    if kind == "double precision":
        yield f"\"{column}\" IN ('NaN', 'Infinity', '-Infinity')"
