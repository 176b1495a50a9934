"""What a tile of the page shows: one word that a person on call can act on, and a sentence that explains it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How urgent a tile is."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Tile:
    """``since`` is when the state was seen, ``path`` where in Airflow's UI to look further, below its address."""

    level: Level
    word: str
    detail: str
    since: datetime | None = None
    path: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
