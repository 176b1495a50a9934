"""The three tables, and what they are called on their way: keys, topics, streams."""

KEYS = {"pin": "index", "geo": "ind", "user": "ind"}  #: Table: the column of the source that holds the post's id.
TABLES = tuple(KEYS)


def topic_name(prefix: str, table: str) -> str:
    """Return the Kafka topic of a table."""
    return f"{prefix}.{table}"


def topic_names(prefix: str) -> list[str]:
    """Return the Kafka topics of all tables."""
    return [topic_name(prefix, table) for table in TABLES]


def table_of(topic: str) -> str:
    """Return the table whose rows a topic carries."""
    return topic.rpartition(".")[2]


def stream_prefix(prefix: str) -> str:
    """Return what the names of all Kinesis streams begin with; a hyphen and the table follow."""
    return f"streaming-{prefix}"
