"""The pause between two attempts, the same for every service."""

import random


def pause_seconds(attempts: int, *, first: float, longest: float) -> float:
    """Return how long to wait after so many attempts: half fixed, half random, doubling from ``first`` to ``longest``.

    :param attempts: 1 or more.
    """
    ceiling: float = min(longest, first * 2 ** (attempts - 1))
    return ceiling / 2 + random.uniform(0, ceiling / 2)  # noqa: S311 - spreads load, hides nothing
