"""A streaming driver in a process group of its own, as a cluster has one; it can be made to die at the worst moment.

Argument: ``{"widgets": {…}, "url": "…", "jars": "…", "die_after": {"stream_pin": 2}}``; prints the result as JSON.
"""

import json
import logging
import os
import signal
import sys

from pinterest_spark.session import build_session
from pinterest_spark.stream import queries as stream
from pinterest_spark.stream.settings import StreamSettings
from pinterest_spark.stream.sink import StreamSink

given = json.loads(sys.argv[1])
commit = StreamSink.commit
left = dict(given.get("die_after", {}))


def commit_and_die(sink, *batch):
    """Die once PostgreSQL has committed and before Spark has written its checkpoint."""
    done = commit(sink, *batch)
    if sink.query in left and done.records:
        left[sink.query] -= 1
        if left[sink.query] <= 0:
            os.killpg(0, signal.SIGKILL)
    return done


logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
logging.getLogger("py4j").setLevel(logging.WARNING)
StreamSink.commit = commit_and_die
spark = build_session("stream-test", size="test", jars=given["jars"])
print(json.dumps(stream.run(spark, StreamSettings.read(given["widgets"]), given["url"])), flush=True)
