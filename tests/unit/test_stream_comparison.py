"""What the comparison of stream and silver says to the person on call."""

from pinterest_pipeline.dag.stream_comparison import disagreements

EQUAL = {"compared": 600, "equal": 600, "only_in_stream": 2, "differences": {}, "examples": []}


def test_equal_tables_and_posts_in_one_place_only_are_no_disagreement():
    assert list(disagreements({"tables": {"pin": EQUAL, "geo": EQUAL}})) == []


def test_a_disagreement_names_table_columns_and_posts():
    geo = {**EQUAL, "equal": 597, "differences": {"timestamp": 1, "country": 3}, "examples": [4, 7, 9]}

    (said,) = disagreements({"tables": {"pin": EQUAL, "geo": geo}})

    assert said == (
        "3 of 600 rows of stream.geo differ from silver in country (3), timestamp (1); for example posts 4, 7, 9."
    )
