"""Times as text."""

from datetime import UTC, datetime


def parse_utc(text: str) -> datetime:
    """Return an ISO 8601 date or date-time in UTC; a time without an offset is UTC already.

    :raises ValueError: the text is neither, or lies outside of the years 1 to 9999 in UTC.
    """
    time = datetime.fromisoformat(text.strip())
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text.strip()} is not within the years 1 to 9999 in UTC") from error
