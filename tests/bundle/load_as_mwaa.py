"""Run by the Python of MWAA's environment, not by pytest: load the bundle as MWAA's processes do, answer in JSON.

The triggerer's view comes first, before a DAG file could put anything on the path.
"""

import importlib
import importlib.metadata
import inspect
import json
import os
import pkgutil
import sys
import sysconfig
from pathlib import Path

HOME = Path(os.environ["AIRFLOW_HOME"])
STANDARD = sysconfig.get_path("stdlib")


def standard_modules():
    """Where the loaded modules of the standard library are from: a plugin file of that name would replace one."""
    return {name: getattr(sys.modules[name], "__file__", None) for name in sys.stdlib_module_names & set(sys.modules)}


def triggers():
    from airflow.triggers.base import BaseTrigger

    import pinterest_pipeline

    names = []
    for module in pkgutil.walk_packages(pinterest_pipeline.__path__, "pinterest_pipeline."):
        if not module.name.endswith((".triggers", ".polling")):
            continue
        loaded = importlib.import_module(module.name)
        for name, member in vars(loaded).items():
            if inspect.isclass(member) and issubclass(member, BaseTrigger) and member.__module__ == loaded.__name__:
                names.append(f"{loaded.__name__}.{name}")
    return sorted(names)


def modules_that_fail():
    """Every module of the package by itself, since tasks import what no DAG file does."""
    import pinterest_pipeline

    failed = {}
    for module in pkgutil.walk_packages(pinterest_pipeline.__path__, "pinterest_pipeline."):
        try:
            importlib.import_module(module.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            failed[module.name] = repr(error)
    return failed


def plugins():
    from airflow import plugins_manager

    if hasattr(plugins_manager, "get_import_errors"):  # since Airflow 3.2
        found, _ = plugins_manager._get_plugins()
        return [plugin.name for plugin in found], plugins_manager.get_import_errors()
    plugins_manager.ensure_plugins_loaded()
    return [plugin.name for plugin in plugins_manager.plugins], plugins_manager.import_errors


def dags():
    from airflow.models import DagBag

    options = {"dag_folder": str(HOME / "dags")}
    if "include_examples" in inspect.signature(DagBag.__init__).parameters:  # until Airflow 3.2
        options["include_examples"] = False
    bag = DagBag(**options)
    return {dag_id: Path(dag.fileloc).name for dag_id, dag in bag.dags.items()}, bag.import_errors


def providers_of(imported):
    """The distributions that provide what the bundle imports, and the modules that nothing here provides."""
    owners = importlib.metadata.packages_distributions()
    used, missing = {}, []
    for name in imported:
        parts = name.split(".")
        if name.startswith("airflow.providers."):
            candidates = ["apache-airflow-providers-" + "-".join(parts[2:end]) for end in range(3, len(parts) + 1)]
            found = [candidate for candidate in candidates if installed(candidate)]
        else:
            found = ["apache-airflow-core"] if parts[0] == "airflow" else owners.get(parts[0], [])
        used |= {name: sorted(set(found))} if found else {}
        missing += [] if found else [name]
    return used, missing


def installed(distribution):
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def main():
    from airflow import settings

    settings.initialize()  # what every component begins with; it appends config and plugins to the path
    path = [entry for entry in sys.path if not entry.startswith((sys.prefix, sys.base_prefix))]
    before = standard_modules()
    found_triggers = triggers()
    found_plugins, plugin_errors = plugins()
    found_dags, import_errors = dags()
    failed = modules_that_fail()
    after = standard_modules()
    used, missing = providers_of(json.loads((HOME / "imports.json").read_text()))
    answers = {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "airflow": importlib.metadata.version("apache-airflow-core"),
        "path": path,
        "triggers": found_triggers,
        "plugins": found_plugins,
        "plugin_errors": {str(name): str(error) for name, error in plugin_errors.items()},
        "dags": found_dags,
        "import_errors": import_errors,
        "module_errors": failed,
        "replaced": sorted(
            name for name, file in after.items()
            if file != before.get(name, file) or not (file is None or file.startswith(STANDARD))
        ),
        "used": used,
        "missing": missing,
        "requires": {name: importlib.metadata.requires(name) or [] for name in set().union(*used.values())},
    }  # fmt: skip
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
