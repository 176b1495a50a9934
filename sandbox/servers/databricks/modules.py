"""Fresh code in a warm driver: forget imported workspace modules once any file of the workspace changed."""

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path


def snapshot(roots: Iterable[Path]) -> dict[Path, int]:
    """Return every Python file below the roots with its time of change, in nanoseconds."""
    return {file: file.stat().st_mtime_ns for root in roots for file in root.rglob("*.py")}


def workspace_modules(roots: Iterable[Path]) -> list[str]:
    """Return the names of the imported modules (namespace packages too) that live below the roots."""
    folders = list(roots)

    def is_below(place: str | None) -> bool:
        return place is not None and any(Path(place).is_relative_to(folder) for folder in folders)

    return [
        name
        for name, module in list(sys.modules.items())
        if is_below(getattr(module, "__file__", None)) or any(map(is_below, list(getattr(module, "__path__", []))))
    ]


class FreshModules:
    """Remembers the files as they were when modules were last imported."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = list(roots)
        self.seen = snapshot(self.roots)

    def refresh(self) -> list[str]:
        """Forget all workspace modules if a file changed; call it only while no notebook runs."""
        now = snapshot(self.roots)
        if now == self.seen:
            return []
        self.seen = now
        forgotten = workspace_modules(self.roots)
        for name in forgotten:
            del sys.modules[name]
        importlib.invalidate_caches()
        return forgotten
