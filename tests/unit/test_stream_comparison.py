"""What the comparison of stream and silver says to the person on call."""

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.stream_comparison import check_window, disagreements

EQUAL = {"compared": 600, "equal": 600, "only_in_stream": 2, "only_in_silver": 0, "differences": {}, "examples": []}


def test_equal_tables_and_posts_in_one_place_only_are_no_disagreement():
    assert list(disagreements({"tables": {"pin": EQUAL, "geo": EQUAL}})) == []


def test_a_disagreement_names_table_columns_and_posts():
    geo = {**EQUAL, "equal": 597, "differences": {"timestamp": 1, "country": 3}, "examples": [4, 7, 9]}

    (said,) = disagreements({"tables": {"pin": EQUAL, "geo": geo}})

    assert said == (
        "3 of 600 rows of stream.geo differ from silver in country (3), timestamp (1); for example posts 4, 7, 9."
    )


def test_a_comparison_of_nothing_proves_nothing():
    geo = {**EQUAL, "compared": 0, "equal": 0, "only_in_stream": 4, "only_in_silver": 3}

    (said,) = disagreements({"tables": {"pin": EQUAL, "geo": geo}})

    assert said == (
        "No row of stream.geo was compared with silver: 4 posts are in the stream alone and 3 in silver alone. Run the "
        "batch, or give an earlier since."
    )


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (None, "2026-11-25", "Param since is None; write it like"),
        ("2026-11-25", "soon", "Param until is 'soon'; write it like"),
        ("2026-11-25T10:00:00+01:00", "2026-11-25T09:00:00Z", "is not before until"),
    ],
)
def test_a_window_that_is_none_is_refused_before_a_cluster_starts(since, until, said):
    with pytest.raises(PermanentError, match=said):
        check_window.function({"since": since, "until": until})


def test_a_window_is_utc_unless_it_says_otherwise():
    assert check_window.function({"since": "2026-11-25", "until": "2026-11-25T02:00:00+01:00"}) == {
        "since": "2026-11-25T00:00:00+00:00", "until": "2026-11-25T02:00:00+01:00",
    }  # fmt: skip
