"""What the lake hook lists and reads: S3 lists keys in their order as text, a page at a time."""

import gzip
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.lake.hook import LakeHook
from pinterest_pipeline.lake.landing import Landing, Target

PAGE = 2
SENT = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Client:
    """A bucket of objects by key, listed by S3's rules, two keys a page; an exception is an object that fails."""

    def __init__(self, objects):
        self.objects = objects
        self.read = []
        self.listed = []

    def get_paginator(self, operation):
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **arguments):
        prefix, start_after = arguments["Prefix"], arguments.get("StartAfter", "")
        self.listed.append(prefix)
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > start_after)
        if arguments.get("Delimiter"):
            keys = sorted({prefix + key.removeprefix(prefix).split("/")[0] + "/" for key in keys})
        for first in range(0, len(keys), PAGE):
            page = keys[first : first + PAGE]
            if arguments.get("Delimiter"):
                yield {"CommonPrefixes": [{"Prefix": key} for key in page]}
            else:
                yield {"Contents": [{"Key": key, "LastModified": self.time(key), "ETag": "1"} for key in page]}
        yield {}

    def time(self, key):
        return SENT + timedelta(seconds=list(self.objects).index(key))

    def get_object(self, **arguments):
        self.read.append(arguments["Key"])
        content = self.objects[arguments["Key"]]
        if isinstance(content, Exception):
            raise content
        return {"Body": io.BytesIO(content)}


def key(partition, start, day, suffix=".json.gz"):
    return f"topics/pin/dt={day}/pin+{partition}+{start:010d}{suffix}"


def content(*offsets, is_packed=True):
    at_ms = int(SENT.timestamp() * 1000)
    lines = "".join(json.dumps({"kafka_offset": n, "kafka_timestamp": at_ms}) + "\n" for n in offsets).encode()
    return gzip.compress(lines) if is_packed else lines


def refused(code, status=403):
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Get"
    )


@pytest.fixture
def use(monkeypatch):
    """Return a function that makes a hook over some objects, and their client."""

    def make(objects):
        client, hook = Client(objects), LakeHook("lake")
        monkeypatch.setattr(hook, "get_conn", lambda: client)
        return hook, client

    return make


def landing(**partitions):
    return Landing(Target("pin", SENT, SENT, {int(name[1:]): [(0, last)] for name, last in partitions.items()}))


def test_the_objects_of_all_pages_and_days_are_read_once_in_the_order_of_their_offsets(use):
    objects = {
        key(0, 0, "2026-11-25"): content(0, 1, 4),
        key(0, 2, "2026-11-26"): content(2, 3),
        key(0, 5, "2026-11-25"): content(5),
        key(1, 0, "2026-11-26", ".json"): content(0, is_packed=False),
    }
    hook, client = use(objects)
    wanted = landing(p0=5, p1=0)

    hook.update_landing("topics", wanted)
    hook.update_landing("topics", wanted)

    assert (wanted.behind(), wanted.last_offsets) == ([], {0: 5, 1: 0})
    assert client.read == list(objects)


def test_folders_of_days_before_the_target_are_not_listed(use):
    hook, client = use({key(0, 0, "2026-11-23"): content(0)})

    hook.update_landing("topics", wanted := landing(p0=0))

    assert wanted.behind()
    assert client.read == []


def test_only_awaited_partitions_are_read(use):
    hook, client = use({key(0, 0, "2026-11-25"): content(0), key(1, 0, "2026-11-25"): content(0)})

    hook.update_landing("topics", landing(p1=0, p2=0))

    assert client.read == [key(1, 0, "2026-11-25")]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param(content(0)[:20], r"cannot be read \(Compressed file ended", id="cut off"),
        pytest.param(b"{}\n", r"cannot be read \(Not a gzipped file", id="no gzip"),
        pytest.param(content(0)[:12] + b"\xff" * 20, "cannot be read", id="corrupted"),
        pytest.param(gzip.compress(b""), "is empty", id="empty"),
        pytest.param(
            gzip.compress(b'{"index": 1}\n'), "is the InsertField transform in the connector", id="no lineage"
        ),
        pytest.param(refused("AccessDenied"), "let the role of the AWS connection", id="refused"),
        pytest.param(refused("InvalidObjectState"), "restore the object from its archive", id="archived"),
    ],
)
def test_an_object_that_cannot_be_read_is_named(use, broken, message):
    name = key(0, 0, "2026-11-25")
    hook, _ = use({name: broken})

    with pytest.raises(PermanentError, match=message) as raised:
        hook.update_landing("topics", landing(p0=0))

    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_object_that_is_gone_since_it_was_listed_is_looked_for_again(use):
    hook, _ = use({key(0, 0, "2026-11-25"): refused("NoSuchKey", 404)})

    with pytest.raises(TransientError, match="NoSuchKey"):
        hook.update_landing("topics", landing(p0=0))


def test_the_last_landed_offset_is_found_in_the_newest_folders_also_after_a_rebalance(use):
    objects = {
        key(1, 7, "2026-11-01"): content(7, 8),
        key(0, 1768, "2026-11-25"): content(1768, 2150),
        key(0, 5, "2026-11-24"): content(5, 6),
        key(0, 1309, "2026-11-25"): content(1309, 3714),
    }
    hook, client = use(objects)

    assert hook.last_landed("topics", "pin") == {0: (3714, key(0, 1309, "2026-11-25"))}
    assert "topics/pin/dt=2026-11-01/" not in client.listed
    assert len(client.read) == 2


def test_a_topic_that_has_landed_nothing_has_no_last_offset(use):
    assert use({})[0].last_landed("topics-2", "pin") == {}
