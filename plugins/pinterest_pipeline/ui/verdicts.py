"""What a tile of the page says: one word a person on call can act on, and the sentence behind it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How loud a tile is."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """``since`` is when that was seen."""

    level: Level
    word: str
    detail: str
    since: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
