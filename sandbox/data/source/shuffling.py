"""Random helpers whose results are promised: built on ``random()`` alone, whose sequence Python never changes."""

from array import array
from collections.abc import Sequence
from random import Random


def stream(*names: object) -> Random:
    """Return a generator of its own for each purpose, so that one more draw here moves nothing there."""
    return Random("/".join(str(name) for name in names))  # noqa: S311  - made-up posts, not secrets


def pick[T](random: Random, choices: Sequence[T]) -> T:
    return choices[int(random.random() * len(choices))]


def shuffle(random: Random, values: array[int]) -> None:
    """Shuffle in place (Fisher and Yates); ``Random.shuffle`` may change between versions of Python."""
    draw = random.random
    for last in range(len(values) - 1, 0, -1):
        other = int(draw() * (last + 1))
        values[last], values[other] = values[other], values[last]


def smallest(random: Random, draws: int) -> float:
    """Return the least of so many uniform draws."""
    draw = random.random
    return draw() if draws == 1 else min(draw() for _ in range(draws))
