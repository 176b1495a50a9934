"""The params of DAG ``pinterest_post_emulator``; it has no Python task."""

from typing import Any

from airflow.sdk import Param

PART: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
PLAN_PARAMS = {
    "rate": Param(10, type="number", exclusiveMinimum=0, maximum=5000, description="Posts a second, 3 records each."),
    "count": Param(600, type="integer", minimum=1, description="Posts to send at most."),
    "duration_seconds": Param(None, type=["null", "number"], exclusiveMinimum=0, description="End after so long."),
    "mode": Param("shuffled", enum=["shuffled", "classic"], description="Each once, or drawn with replacement."),
    "seed": Param(7, type="integer", minimum=0, description="The same seed sends the same, byte for byte."),
    "start": Param(0, type="integer", minimum=0, description="Position to go on from."),
    "duplicates": Param(0, **PART, description="Part of the records sent twice."),
    "malformed": Param(0, **PART, description="Part of the records followed by a broken copy."),
    "late": Param(0, **PART, description="Part of the records that come late_seconds late."),
    "late_seconds": Param(30, type="number", minimum=0),
    "reorder_window": Param(0, type="integer", minimum=0, description="Posts by which a record may fall behind."),
}
PARAMS = {**PLAN_PARAMS, "also_kafka": Param(False, type="boolean", description="Send each row to Kafka too.")}
