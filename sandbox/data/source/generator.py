"""The generator: one mode, one number of rows and one seed are one data set, byte for byte."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sandbox.data.source.hard import corrupted
from sandbox.data.source.posters import FIRST_POST, Posters
from sandbox.data.source.posts import categories, pin_row
from sandbox.data.source.schema import Post
from sandbox.data.source.shuffling import stream

MODES = ("faithful", "sane", "hard")
GENERATOR_VERSION = 1  # raise it when the same arguments give other bytes
LAST_POST = datetime(2022, 10, 18)  # noqa: DTZ001  - the source's timestamps carry no zone
MOST_ROWS = 2_147_483_647  # pinterest_data.index is a 32-bit integer


def generate(mode: str, rows: int, seed: int) -> Iterator[Post]:
    """Return the posts in id order, 0 to ``rows - 1``.

    Memory: twelve bytes a post, and what the caller keeps.

    :param mode: ``faithful`` (the original's rates and its merged users), ``sane`` (one coherent user a poster) or
        ``hard`` (``sane`` with what a reader must survive or reject; still fit for the tables).
    :raises ValueError: for an unknown mode or a number of rows that the id column cannot hold.
    """
    if mode not in MODES:
        raise ValueError(f"Unknown mode {mode!r}: choose one of {', '.join(MODES)}.")
    if not 0 <= rows <= MOST_ROWS:
        raise ValueError(f"rows must be 0 to {MOST_ROWS}, got {rows}.")
    posts = whole_posts(mode, rows, seed)
    return corrupted(posts, seed) if mode == "hard" else posts


def whole_posts(mode: str, rows: int, seed: int) -> Iterator[Post]:
    posters = Posters(mode, rows, seed)
    random, times = stream(seed, "posts"), stream(seed, "times")
    for number, (vocabulary, owner) in enumerate(zip(categories(rows), posters.of_posts(), strict=True)):
        poster = posters.get(owner)
        earliest = max(FIRST_POST, poster.date_joined)  # no user posts before joining
        seconds = (LAST_POST - earliest) // timedelta(seconds=1)
        posted = earliest + timedelta(seconds=int(times.random() * (seconds + 1)))
        yield Post(
            pin=pin_row(random, number, vocabulary, poster),
            geo=(number, posted, poster.latitude, poster.longitude, poster.country),
            user=(number, poster.first_name, poster.last_name, poster.age, poster.date_joined),
        )
