"""What sensors and triggers of one subject share: the shape of one check, and of the end of a wait."""

from enum import StrEnum
from typing import Any, NamedTuple


class Status(StrEnum):
    """How a trigger's wait ended."""

    READY = "ready"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


class PollResult(NamedTuple):
    """What one check saw.

    :param result: JSON for XCom, once there is nothing left to wait for; else None.
    :param waiting_for: What is still missing, in words.
    """

    result: Any = None
    waiting_for: str = ""
