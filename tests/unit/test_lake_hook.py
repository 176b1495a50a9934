"""What the lake hook lists and reads to tell how far a topic has landed: S3 lists keys in their order as text."""

import gzip
import io
import json

import pytest

from pinterest_pipeline.lake.hook import LakeHook
from pinterest_pipeline.lake.landing import Target

PAGE = 2


class Client:
    """A bucket of objects by key, listed by S3's rules, two keys a page."""

    def __init__(self, objects):
        self.objects = objects
        self.read = []

    def get_paginator(self, operation):
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **arguments):
        prefix, start_after = arguments["Prefix"], arguments["StartAfter"]
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > start_after)
        for first in range(0, len(keys), PAGE):
            yield {"Contents": [{"Key": key} for key in keys[first : first + PAGE]]}
        yield {}

    def get_object(self, **arguments):
        self.read.append(arguments["Key"])
        return {"Body": io.BytesIO(self.objects[arguments["Key"]])}


def key(partition, start, day, suffix=".json.gz"):
    return f"topics/pin/dt={day}/pin+{partition}+{start:010d}{suffix}"


def content(last, *, is_packed=True):
    line = json.dumps({"kafka_offset": last}).encode()
    return gzip.compress(line) if is_packed else line


@pytest.fixture
def landed(monkeypatch):
    """Return a function that gives the landed offsets of the wanted partitions, and the keys that were read."""

    def run(objects, *partitions):
        client = Client(objects)
        hook = LakeHook("lake")
        monkeypatch.setattr(hook, "get_conn", lambda: client)
        target = Target("pin", "2026-11-24", dict.fromkeys(partitions, 0))
        return hook.landed_offsets("topics", [target]), client.read

    return run


def test_the_newest_object_of_a_partition_may_be_in_an_earlier_folder_than_the_last_listed(landed):
    newest = key(0, 1000, "2026-11-24")
    objects = {
        key(0, 9, "2026-11-24"): content(899),
        newest: content(1200),
        key(0, 900, "2026-11-25"): content(999),
        key(1, 5, "2026-11-25", ".json"): content(7, is_packed=False),
    }

    assert landed(objects, 0, 1) == ({"pin": {0: 1200, 1: 7}}, [newest, key(1, 5, "2026-11-25", ".json")])


def test_folders_of_days_before_the_target_are_not_listed(landed):
    assert landed({key(0, 9, "2026-11-23"): content(9)}, 0) == ({"pin": {}}, [])


def test_only_awaited_partitions_that_have_an_object_are_read(landed):
    objects = {key(0, 0, "2026-11-24"): content(3), key(1, 0, "2026-11-24"): content(4)}

    assert landed(objects, 1, 2) == ({"pin": {1: 4}}, [key(1, 0, "2026-11-24")])
