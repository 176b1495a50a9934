"""Who posts: how many posts each poster has, and a poster's name, followers and (one) user."""

from array import array
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import NamedTuple

from sandbox.data.source import words
from sandbox.data.source.countries import COUNTRIES
from sandbox.data.source.shuffling import pick, shuffle, smallest, stream

ORIGINAL_ROWS, ORIGINAL_POSTERS = 11_154, 5_080
HEAVIEST_PER_MILLE = 22  # the busiest poster's part of all posts
TWO_COUNTS_PER_CENT = 1  # posters seen with two follower counts
ODD_BLANKS = 0.016  # poster names with a trailing or a doubled space
FIRST_POST = datetime(2017, 10, 18)  # noqa: DTZ001  - the source's timestamps carry no zone
FIRST_JOIN = datetime(2015, 10, 18)  # noqa: DTZ001
COUNTRY_NAMES = tuple(COUNTRIES)
FOLLOWERS = (  # the least number at each point of the distribution over posts; the parts between are straight lines
    (0.0, 0),
    (0.10, 217),
    (0.217, 1_000),
    (0.36, 8_000),
    (0.50, 30_000),
    (0.75, 196_000),
    (0.90, 868_000),
    (0.924, 985_500),
    (0.924, 1_000_000),
    (0.96, 2_400_000),
    (0.99, 5_000_000),
    (1.0, 15_400_000),
)


class Poster(NamedTuple):
    """One poster: a display name, one or two follower counts as written, and the user behind it."""

    name: str
    follower_counts: tuple[str, ...]
    first_name: str
    last_name: str
    age: int
    date_joined: datetime
    country: str
    latitude: float
    longitude: float


def posts_per_poster(rows: int) -> array[int]:
    """Return how many posts each poster has, the busiest first: like Zipf's law, and most have one."""
    if rows == 0:
        return array("I")
    posters = max(1, (rows * ORIGINAL_POSTERS + ORIGINAL_ROWS // 2) // ORIGINAL_ROWS)
    heaviest = max(1, rows * HEAVIEST_PER_MILLE // 1000)
    flatness_low, flatness_high = 0, 1024 * rows
    while flatness_low < flatness_high:  # the flattest curve that does not exceed the rows
        middle = (flatness_low + flatness_high + 1) // 2
        if len(heads := curve(heaviest, middle, posters)) == 0 or sum(heads) - len(heads) + posters <= rows:
            flatness_low = middle
        else:
            flatness_high = middle - 1
    counts = array("I", [1]) * posters
    heads = curve(heaviest, flatness_low, posters)
    counts[: len(heads)] = heads
    missing = rows - sum(counts)
    for turn in range(missing):
        counts[(turn + 1) % posters] += 1
    return counts


def curve(heaviest: int, flatness: int, posters: int) -> array[int]:
    """Return ``heaviest * (1 + q) / (rank + q)`` for the ranks where that is two or more; q in 1/1024."""
    top = heaviest * (1024 + flatness)
    last = min(posters, max(0, (top // 2 - flatness) // 1024))
    return array("I", (top // (1024 * rank + flatness) for rank in range(1, last + 1)))


class Posters:
    """Posters of one data set, each computed when requested: memory holds eight bytes a post, not the posters."""

    def __init__(self, mode: str, rows: int, seed: int) -> None:
        self.seed, self.rows = seed, rows
        self.posts = posts_per_poster(rows)
        self.is_coherent = mode != "faithful"
        self.middles = middles_of_spans(self.posts, stream(seed, "followers"))
        candidates = sum(1 for posts in self.posts if posts >= 4)  # with fewer, both counts would seldom be seen
        self.second_count = len(self.posts) * TWO_COUNTS_PER_CENT / (100 * candidates) if candidates else 0.0
        self.get = lru_cache(maxsize=20_000)(self.poster)

    def of_posts(self) -> array[int]:
        """Return the poster of every post, in a random order of posts."""
        owners = array("I")
        for poster, posts in enumerate(self.posts):
            owners.extend([poster] * posts)
        shuffle(stream(self.seed, "owners"), owners)
        return owners

    def poster(self, number: int) -> Poster:
        random = stream(self.seed, "poster", number)
        posts = self.posts[number]
        name = poster_name(number)
        if random.random() < ODD_BLANKS:
            name = f"{name} " if random.random() < 0.5 else name.replace(" ", "  ", 1)
        count = followers(self.middles[number] / (2 * self.rows))
        counts: tuple[str, ...] = (count,)
        if posts >= 4 and random.random() < self.second_count:
            counts = (count, one_more(count))
        return Poster(name, counts, *(coherent_user(random) if self.is_coherent else merged_user(random, posts)))


def middles_of_spans(posts: array[int], random: Random) -> array[int]:
    """Lay the posters' posts end to end in a random order; return twice the middle of each poster's span."""
    order = array("I", range(len(posts)))
    shuffle(random, order)
    if order:  # a poster of one post has the most followers, so that the greatest count always occurs
        lone = max(range(len(order)), key=lambda place: (posts[order[place]] == 1, place))
        order[lone], order[-1] = order[-1], order[lone]
    middles = array("Q", [0]) * len(posts)
    begin = 0
    for poster in order:
        middles[poster] = 2 * begin + posts[poster]
        begin += posts[poster]
    return middles


def poster_name(number: int) -> str:
    """Return a name that no other number has, whatever its blanks."""
    place = number
    place, given = divmod(place, len(words.POSTER_GIVEN))
    place, family = divmod(place, len(words.POSTER_FAMILY))
    place, style = divmod(place, len(words.POSTER_STYLES))
    family = (family + given) % len(words.POSTER_FAMILY)  # neighbours differ in both
    name = words.POSTER_STYLES[style].format(words.POSTER_GIVEN[given], words.POSTER_FAMILY[family])
    return f"{name} {place + 1}" if place else name


def followers(part: float) -> str:
    """Return the follower count, as written, at this point (0..1) of the distribution over posts."""
    at = next(index for index in range(1, len(FOLLOWERS)) if part < FOLLOWERS[index][0] or index == len(FOLLOWERS) - 1)
    (left, low), (right, high) = FOLLOWERS[at - 1], FOLLOWERS[at]
    count = low + int((high - low) * (part - left) / (right - left))
    if count < 1_000:
        return str(count)
    return f"{count // 1_000}k" if count < 1_000_000 else f"{count // 1_000_000}M"


def one_more(count: str) -> str:
    """Return the next count of the same form, staying within the maxima 999, 985k and 15M."""
    digits = count.rstrip("kM")
    suffix = count[len(digits) :]
    step = -1 if int(digits) >= {"": 999, "k": 985, "M": 15}[suffix] else 1
    return f"{int(digits) + step}{suffix}"


def merged_user(random: Random, posts: int) -> tuple[str, str, int, datetime, str, float, float]:
    """Return the column-wise minimum of as many independent users as there are posts: the original's artefact."""
    first, last, age, joined, country, latitude, longitude = (smallest(random, posts) for _ in range(7))
    return (
        words.FIRST_NAMES[int(first * len(words.FIRST_NAMES))],
        words.LAST_NAMES[int(last * len(words.LAST_NAMES))],
        # one user in sixteen is 20..24: minima then put 44 % of all posts below 25
        20 + int(age * 80) if age < 0.0625 else 25 + int((age - 0.0625) / 0.9375 * 36),
        FIRST_JOIN + timedelta(seconds=int(joined * (FIRST_POST - FIRST_JOIN).total_seconds())),
        COUNTRY_NAMES[int(country * len(COUNTRY_NAMES))],
        int(latitude * 1_800_001 - 900_000) / 10_000,
        int(longitude * 3_600_001 - 1_800_000) / 10_000,
    )


def coherent_user(random: Random) -> tuple[str, str, int, datetime, str, float, float]:
    """Return a user whose coordinates lie within 0.1 degrees of their country's point; 18..80, joined 2015..2020."""
    country = pick(random, COUNTRY_NAMES)
    latitude, longitude = (round(degrees * 10_000) for degrees in COUNTRIES[country])
    start, end = datetime(2015, 1, 1), datetime(2021, 1, 1)  # noqa: DTZ001
    return (
        pick(random, words.FIRST_NAMES),
        pick(random, words.LAST_NAMES),
        18 + int(random.random() * 63),
        start + timedelta(seconds=int(random.random() * (end - start).total_seconds())),
        country,
        (latitude + int(random.random() * 2001) - 1000) / 10_000,
        (longitude + int(random.random() * 2001) - 1000) / 10_000,
    )
