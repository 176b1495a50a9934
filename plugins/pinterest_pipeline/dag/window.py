"""Which posts a run handles: those of its data interval, or of a window that the person who started it gave."""

from datetime import UTC, datetime
from typing import TypedDict

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.times import parse_utc

EXAMPLE = "2017-10-18T00:00:00"


class Window(TypedDict):
    """Parameters of the source queries; times are UTC, without an offset, as the source has them.

    ``window_start`` is in the window, ``window_end`` is not.
    """

    window_start: str
    window_end: str
    include_undated: bool


def choose_window(
    window_start: str | None,
    window_end: str | None,
    interval_start: datetime | None,
    interval_end: datetime | None,
) -> Window:
    """Return the given window, or the run's data interval where none is given.

    A post without a timestamp lies in no interval: only a run with a window of its own takes such posts along.

    :param window_start: ISO 8601 date or date-time; without an offset it is UTC. Empty counts as not given.
    :raises PermanentError: for half a window, an unreadable time, an end that is not after its start, or no window at
        all (a run that was triggered without a logical date has no data interval).
    """
    if window_start or window_end:
        if not (window_start and window_end):
            missing = "window_end" if window_start else "window_start"
            raise PermanentError(f"Param {missing} is missing: give both window_start and window_end, or neither.")
        start, end = utc("window_start", window_start), utc("window_end", window_end)
        given = True
    elif interval_start and interval_end:
        start, end = interval_start.astimezone(UTC), interval_end.astimezone(UTC)
        given = False
    else:
        raise PermanentError(
            "This run has no data interval: trigger it with a logical date, or with params window_start and window_end."
        )
    require_order(start, end, "correct" if given else "give")
    return Window(window_start=text(start), window_end=text(end), include_undated=given)


def arrivals(window_start: str | None, window_end: str | None) -> tuple[str, str]:
    """Return the bounds of a window of arrival times, each empty where it is not given.

    :raises PermanentError: for an unreadable time, or an end that is not after its start.
    """
    start = utc("window_start", window_start) if window_start else None
    end = utc("window_end", window_end) if window_end else None
    if start and end:
        require_order(start, end, "correct")
    return text(start) if start else "", text(end) if end else ""


def require_order(start: datetime, end: datetime, verb: str) -> None:
    if end <= start:
        raise PermanentError(
            f"The window ends at {text(end)}, which is not after its start {text(start)}: "
            f"{verb} params window_start and window_end."
        )


def utc(name: str, given: str) -> datetime:
    """Read one bound of a window."""
    try:
        return parse_utc(given)
    except ValueError as error:
        raise PermanentError(
            f"Param {name} is {given!r}, which is no ISO 8601 date-time in the years 1 to 9999 (UTC): "
            f"write it like {EXAMPLE}."
        ) from error


def text(time: datetime) -> str:
    return time.replace(tzinfo=None).isoformat()
