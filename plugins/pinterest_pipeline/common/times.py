"""Times as text."""

from datetime import UTC, datetime


def parse_utc(text: str) -> datetime:
    """Return an ISO 8601 date or date-time in UTC; a time without an offset is UTC already.

    :raises ValueError: the text is neither.
    """
    time = datetime.fromisoformat(text.strip())
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
