"""How property tests run: the same inputs in every run, and no time limit that a busy machine could break."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

repeatable = settings(
    derandomize=True, database=None, deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow]
)


def many(inputs: SearchStrategy[Any], count: int) -> list[Any]:
    """Return inputs to look at all at once, for a subject that is too slow to be called for each."""
    found: list[Any] = []

    @settings(repeatable, max_examples=count)
    @given(inputs)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found
