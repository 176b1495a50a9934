"""The pause between two attempts, the same for every service."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER_SECONDS = 60  # a usage plan's quota may ask for a day: better fail, and let Airflow retry


def pause_seconds(attempts: int, *, first: float, longest: float) -> float:
    """Return how long to wait after so many attempts: half fixed, half random, doubling from ``first`` to ``longest``.

    :param attempts: 1 or more.
    """
    ceiling: float = min(longest, first * 2 ** (attempts - 1))
    return ceiling / 2 + random.uniform(0, ceiling / 2)  # noqa: S311 - spreads load, hides nothing


def retry_after_seconds(header: str | None, now: datetime) -> float:
    """Read ``Retry-After``, which is a number of seconds or a date; 0 where it is neither."""
    if not header:
        return 0
    try:
        return max(0, float(header))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0
    return max(0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())
