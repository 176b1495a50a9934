"""What an emulation runs in, for tests: a clock, a source, and streams that remember."""

import json
from collections import Counter

from pinterest_pipeline.emulator.defects import KEYS
from pinterest_pipeline.emulator.plan import TABLES, Plan
from pinterest_pipeline.emulator.run import Emulation


def row(table, post_id):
    return json.dumps({KEYS[table]: post_id, "text": f"Grüße 😀 {table}"}, ensure_ascii=False).encode()


class World:
    """A clock that only waiting moves, a source of ``size`` posts, and streams that remember all."""

    def __init__(self, size=300, send_seconds=0.0):
        self.ids = [10 * n for n in range(size)]
        self.now = 1000.0
        self.sent = []
        self.calls = []
        self.reads = []
        self.send_seconds = send_seconds
        self.stop_at = None
        self.fail_at = None

    def wait(self, seconds):
        self.now += seconds
        return self.stop_at is not None and self.now >= self.stop_at

    def read_rows(self, ids):
        self.reads.append(len(ids))
        return {table: {post_id: row(table, post_id) for post_id in ids} for table in TABLES}

    def send(self, table, emissions):
        self.now += self.send_seconds
        if self.fail_at is not None and len(self.calls) >= self.fail_at:
            raise ConnectionError("the stream is away")
        self.calls.append((self.now, table, len(emissions)))
        self.sent += emissions

    def emulation(self, **plan):
        plan = Plan(**{"rate": 10, "count": 1_000_000, **plan})
        return Emulation(plan, self.ids, self.read_rows, self.send, wait=self.wait, clock=lambda: self.now)

    def rows(self):
        return Counter((e.table, int(e.key)) for e in self.sent if e.kind == "row")
