"""Rows per second of the generator, one mode after the other, and the peak of memory. Prints only.

Run with the sandbox's Python from the project's folder: ``python -m benchmarks.generator [posts]``.
"""

import resource
import sys
import time
from collections import deque

from sandbox.data.source.generator import MODES, generate
from sandbox.data.source.schema import TABLES, wire


def main(posts: int = 100_000) -> None:
    for mode in MODES:
        began = time.perf_counter()
        deque(generate(mode, posts, 7), maxlen=0)
        print(f"{mode:9} {posts / (time.perf_counter() - began):8,.0f} posts/s (three rows each)")
    began = time.perf_counter()
    for post in generate("faithful", posts, 7):
        for table, row in zip(TABLES, post, strict=True):
            wire(table, row)
    print(f"to JSON   {posts / (time.perf_counter() - began):8,.0f} posts/s (faithful, made and written as JSON)")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB for {posts:,} posts")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
