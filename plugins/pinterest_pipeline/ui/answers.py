"""The ten answers of schema ``gold``, and how each is drawn."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pinterest_pipeline.ui.warehouse import Query, Rows, answer

MOST_ROWS = 1_000  # of one answer; the greatest has a row a category and year


@dataclass(frozen=True)
class Answer:
    """A table of schema ``gold``.

    :param labels: Columns that name a row, in the order in which they are read.
    :param kind: ``bars``, one a row, or ``grid``: the first label down, the second across.
    """

    table: str
    question: str
    labels: tuple[str, ...]
    value: str
    kind: str = "bars"


ANSWERS = (
    Answer("popular_category_by_country", "Most posted category by country", ("country", "category"), "category_count"),
    Answer("popular_category_by_year", "Most posted category by year", ("post_year", "category"), "category_count"),
    Answer("category_count_by_year", "Posts by category and year", ("category", "post_year"), "category_count", "grid"),
    Answer("top_user_by_country", "Most followed poster by country", ("country", "poster_name"), "follower_count"),
    Answer("top_country", "Country of the most followed poster", ("country",), "follower_count"),
    Answer(
        "popular_category_by_age_group", "Most posted category by age group", ("age_group", "category"),
        "category_count",
    ),
    Answer(
        "median_followers_by_age_group", "Median followers by age group", ("age_group",), "median_follower_count"
    ),
    Answer("users_joined_by_year", "Users joined by year", ("join_year",), "number_users_joined"),
    Answer("median_followers_by_join_year", "Median followers by join year", ("join_year",), "median_follower_count"),
    Answer(
        "median_followers_by_join_year_and_age_group", "Median followers by age group and join year",
        ("age_group", "join_year"), "median_follower_count", "grid",
    ),
)  # fmt: skip
QUERIES = {
    each.table: Query(
        f"gold.{each.table}",
        f"SELECT {', '.join(each.labels)}, {each.value} FROM gold.{each.table} "  # noqa: S608 - constants above
        f"ORDER BY {', '.join(each.labels)} LIMIT {MOST_ROWS}",
    )
    for each in ANSWERS
}


def panel() -> dict[str, Any]:
    return answer(QUERIES, shape)


def shape(found: Mapping[str, Rows | None], _now: datetime) -> dict[str, Any]:
    return {
        "answers": [
            {**asdict(each), "rows": [[row[name] for name in (*each.labels, each.value)] for row in rows]}
            if (rows := found[each.table]) is not None
            else {**asdict(each), "rows": None}
            for each in ANSWERS
        ]
    }
