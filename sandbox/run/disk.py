"""How full the disk is: what is acknowledged on a full one is gone after the next restart."""

import shutil
from pathlib import Path

MIN_FREE_BYTES = 512 * 1024 * 1024  # below it S3 and Kinesis refuse to write, and `up` to start
MEBIBYTE = 1024 * 1024


def shortage(folder: Path, needed: int = 0, min_free: int = MIN_FREE_BYTES) -> str | None:
    """Return a sentence where the disk of ``folder`` has less free than ``min_free`` and ``needed`` bytes, or None."""
    free = shutil.disk_usage(folder).free
    if free >= min_free + needed:
        return None
    return (
        f"The disk of {folder} is nearly full: {free // MEBIBYTE:,} MiB are free, "
        f"{(min_free + needed) // MEBIBYTE:,} MiB are needed. Delete something there."
    )
