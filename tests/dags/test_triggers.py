"""Every trigger of the package comes back from the database as it went in, imported from the plugin folder alone.

The triggerer never has the DAG folder on its path, so a trigger that only a DAG file can import never fires.
"""

import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.triggers.base import BaseTrigger

import pinterest_pipeline
from pinterest_pipeline.common.polling import PollingTrigger

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = {
    int: 7,
    float: 1764021600.5,
    str: "text",
    bool: True,
    list: [],
    dict: {},
}


def trigger_classes():
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(pinterest_pipeline.__path__, "pinterest_pipeline.")
        if module.name.endswith(".triggers")
    ]
    found = {
        member
        for module in modules
        for member in vars(module).values()
        if inspect.isclass(member) and issubclass(member, BaseTrigger) and member.__module__ == module.__name__
    }
    return sorted((found - {c for c in found if inspect.isabstract(c)}), key=lambda found: found.__name__)


def test_the_package_has_triggers():
    assert len(trigger_classes()) >= 5
    assert all(issubclass(found, PollingTrigger) for found in trigger_classes())


@pytest.mark.parametrize("trigger_class", trigger_classes(), ids=lambda found: found.__name__)
def test_a_trigger_survives_the_database(trigger_class):
    trigger = trigger_class(**arguments_of(trigger_class))

    path, stored = trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(stored)))

    assert type(again) is trigger_class
    assert again.serialize() == (path, stored)


def test_every_trigger_is_importable_with_nothing_but_the_plugin_folder():
    paths = [f"{found.__module__}:{found.__name__}" for found in trigger_classes()]
    script = "import sys, importlib\nfor path in sys.argv[1:]:\n    module, name = path.split(':')\n"
    script += "    getattr(importlib.import_module(module), name)\n"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *paths],
        env=environment, cwd="/", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]


def arguments_of(trigger_class):
    """A value of the annotated kind for every required argument."""
    classes = [found for found in trigger_class.__mro__ if issubclass(found, PollingTrigger)]
    parameters = [p for found in classes for p in inspect.signature(found.__init__).parameters.values()]
    return {p.name: sample(p.annotation) for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}


def sample(annotation):
    for kind, value in SAMPLES.items():
        if annotation is kind or getattr(annotation, "__origin__", None) is kind:
            return value
    text = str(annotation)
    if "None" in text:
        return None
    return [] if any(word in text for word in ("Sequence", "Collection", "Iterable", "list")) else {}
