"""The position of a task that emulates posts, stored in the lake for its next try: Airflow clears XCom before a try."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from pinterest_pipeline.emulator.plan import Plan
from pinterest_pipeline.emulator.run import EmulationResult


class Lake(Protocol):
    """What is needed of ``LakeHook``."""

    def write_json_lines(self, key: str, rows: Sequence[Mapping[str, Any]]) -> str: ...

    def read_json_lines(self, key: str) -> list[dict[str, Any]]: ...


class Checkpoint:
    """The checkpoint of one task instance, valid for one plan."""

    def __init__(self, lake: Lake, ti: Any, plan: Plan) -> None:
        mapped = f".{ti.map_index}" if ti.map_index >= 0 else ""
        self.key = f"emulation/{ti.dag_id}.{ti.run_id}.{ti.task_id}{mapped}.json"
        self._lake = lake
        self._plan = asdict(plan)

    def read(self) -> EmulationResult | None:
        """Return the result of the earlier tries; None where there is none, or it is of another plan."""
        stored = self._lake.read_json_lines(self.key)
        return stored[0]["result"] if stored and stored[0]["plan"] == self._plan else None

    def write(self, result: EmulationResult) -> None:
        self._lake.write_json_lines(self.key, [{"plan": self._plan, "result": result}])

    def clear(self) -> None:
        """Make a task that is cleared after a success begin again."""
        self._lake.write_json_lines(self.key, [])


def rest_of(plan: Plan, earlier: EmulationResult) -> Plan | None:
    """Return what earlier tries left of a plan, None where they left nothing."""
    start = earlier["next_position"]
    count = plan.start + plan.count - start
    seconds = plan.duration_seconds and plan.duration_seconds - earlier["seconds"]
    if count <= 0 or (seconds is not None and seconds <= 0):
        return None
    return replace(plan, start=start, count=count, duration_seconds=seconds)
