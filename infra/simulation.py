"""A day of posts, played: requests that queue at the proxy, micro-batches of the stream, objects of the connector.

Arrivals are Poisson with a rate that follows the day: one peak, five times the mean. What comes out is what the
formulas of :mod:`infra.capacity` say in one line; the tests compare the two.
"""

import heapq
import math
import random
from collections.abc import Iterator

from infra import capacity
from infra.capacity import Load

SHARPNESS = 8  # of the peak: cos^16 has a mean of 1/5.09
MEAN_OF_SHAPE = math.comb(2 * SHARPNESS, SHARPNESS) / 4**SHARPNESS


def rate_at(load: Load, second: float) -> float:
    """Return rows a second at a second of the day: the mean over the day is the load's, the peak at noon about five."""
    phase = math.pi * (second / capacity.SECONDS_A_DAY - 0.5)
    return float(load.mean * math.cos(phase) ** (2 * SHARPNESS) / MEAN_OF_SHAPE)


def poisson(mean: float, source: random.Random) -> int:
    """Return a Poisson number; for large means by the normal distribution, which then differs by less than a row."""
    if mean > 50:
        return max(0, round(source.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), source.random(), 0
    while product > limit:
        product *= source.random()
        count += 1
    return count


def day_of_stream(load: Load, cores: int, seed: int) -> Iterator[tuple[float, int, float]]:
    """Yield each micro-batch of a day: when it began, its rows, and their seconds from arrival to commit, summed."""
    source, throughput = random.Random(seed), cores * capacity.STREAM_ROWS_PER_CORE  # noqa: S311 - no secret
    began, opened = 0.0, 0.0  # of the batch; of the interval whose rows it takes
    while began < capacity.SECONDS_A_DAY:
        waited = began - opened
        rows = poisson(rate_at(load, (began + opened) / 2) * waited, source)
        seconds = capacity.STREAM_FIXED_SECONDS + rows / throughput
        yield began, rows, rows * (waited / 2 + seconds)
        opened = began
        began = max(began + capacity.TRIGGER_SECONDS, began + seconds)


def day_of_requests(load: Load, vcpus: int, seed: int) -> Iterator[tuple[float, float]]:
    """Yield each request of a day: when it came, and how long it took, its turn among the others included."""
    source = random.Random(seed)  # noqa: S311 - no secret
    service = capacity.ROWS_PER_REQUEST / capacity.PROXY_ROWS_PER_VCPU
    free = [0.0] * vcpus
    now, highest = 0.0, capacity.PEAK * load.mean * 1.05 / capacity.ROWS_PER_REQUEST
    while (now := now + source.expovariate(highest)) < capacity.SECONDS_A_DAY:
        if source.random() > rate_at(load, now) / capacity.ROWS_PER_REQUEST / highest:
            continue  # thinning: the rate of the moment is lower than the highest
        begun = max(now, heapq.heappop(free))
        heapq.heappush(free, begun + service)
        yield now, begun + service - now


def day_of_objects(load: Load, seed: int) -> Iterator[tuple[int, int]]:
    """Yield minute and objects of each minute of a day: an object when it is full, and one for what is left."""
    source = random.Random(seed)  # noqa: S311 - no secret
    partitions = capacity.TABLES * capacity.needed(load)["partitions"]
    for minute in range(capacity.SECONDS_A_DAY // capacity.ROTATION_SECONDS):
        mean = rate_at(load, (minute + 0.5) * capacity.ROTATION_SECONDS) * capacity.ROTATION_SECONDS / partitions
        counts = (poisson(mean, source) for _ in range(partitions))
        yield minute, sum(math.ceil(rows / capacity.OBJECT_RECORDS) for rows in counts)
