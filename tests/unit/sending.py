"""What the tests of the produce operator share: a source of rows, a lake in memory, the operator and its context."""

from types import SimpleNamespace

from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator


class Cursor:
    """A server-side cursor over rows made on demand."""

    def __init__(self, columns, rows):
        self.description = [(column,) for column in columns]
        self.rows = iter(rows)
        self.fetched = 0

    def execute(self, sql, parameters=None):
        self.asked = (sql, parameters)

    def fetchmany(self, count):
        rows = [row for _, row in zip(range(count), self.rows, strict=False)]
        self.fetched += len(rows)
        return rows

    def close(self):
        pass


class Store:
    """A lake in memory."""

    bucket = "lake"

    def __init__(self):
        self.objects = {}
        self.lines = {}  # of objects that others wrote

    def write_json_lines(self, key, rows):
        self.objects[key] = list(rows)
        return f"s3://lake/{key}"

    def read_json_lines(self, key):
        return list(self.objects.get(key, []))

    def names(self, prefix):
        return [key for key in (*self.objects, *self.lines) if key.startswith(prefix)]

    def spooled_lines(self, key):
        return iter(self.lines[key])

    def move(self, key, new_key):
        self.objects[new_key] = self.objects.pop(key)


def operator(**arguments):
    defaults = {
        "task_id": "send_posts",
        "sql": "SELECT 1",
        "topic": "pinterest.pin",
        "key_column": "index",
        "dead_letter_bucket": "lake",
        "max_batch_records": 500,
    }
    return KafkaRestProduceOperator(**{**defaults, **arguments})


def context(try_number=1, map_index=-1):
    ti = SimpleNamespace(
        dag_id="daily",
        run_id="manual__2026-11-24T02:00:00+00:00",
        task_id="send",
        try_number=try_number,
        map_index=map_index,
    )
    return {"ti": ti, "ds": "2026-11-23"}


def rows(count):
    return ((n, f"title {n}") for n in range(count))
