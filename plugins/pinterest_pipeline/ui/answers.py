"""The published answers, drawn as their files declare.

The api-server has no ``include``: publishing keeps each file's text in ``audit.answers``, from which the page reads it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pinterest_pipeline.ui.warehouse import Query, Rows, answer
from pinterest_pipeline.warehouse.answers import Answer, parse

MAX_ROWS = 1_000  # of one answer; the greatest of today's has a row a category and country
PUBLISHED = "published"
QUERIES = {PUBLISHED: Query("audit.answers", "SELECT name, definition FROM audit.answers ORDER BY name")}


def panel() -> dict[str, Any]:
    return answer(QUERIES, shape, rows_of_each)


def published(found: Mapping[str, Rows | None]) -> list[Answer]:
    return [parse(row["name"], row["definition"]) for row in found[PUBLISHED] or []]


def rows_of_each(found: Mapping[str, Rows | None]) -> dict[str, Query]:
    """Return a query for each published answer, under the name of its table."""
    return {f"gold.{each.name}": rows_of(each) for each in published(found)}


def rows_of(each: Answer) -> Query:
    labels = ", ".join(f'"{name}"' for name in each.chart.labels)
    return Query(
        f"gold.{each.name}",
        f'SELECT {labels}, "{each.chart.value}" FROM gold."{each.name}" '  # noqa: S608 - names that parse has checked
        f"ORDER BY {labels} LIMIT {MAX_ROWS}",
    )


def shape(found: Mapping[str, Rows | None], _now: datetime) -> dict[str, Any]:
    return {
        "answers": [
            {
                "table": each.name,
                "question": each.question,
                "labels": each.chart.labels,
                "value": each.chart.value,
                "kind": each.chart.kind,
                "rows": [list(row.values()) for row in found[f"gold.{each.name}"] or []],
            }
            for each in published(found)
        ]
    }
