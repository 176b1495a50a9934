"""The text of the bundle's ``requirements.txt``: pins, and where pip finds the constraints and the wheels."""

from enum import StrEnum

from deploy.versions import PACKAGES, Version

PLUGINS_ON_MWAA = "/usr/local/airflow/plugins"  # where MWAA unpacks plugins.zip, before it installs requirements
PUBLIC_CONSTRAINTS = "https://raw.githubusercontent.com/apache/airflow/constraints-{airflow}/constraints-{python}.txt"


class Source(StrEnum):
    """Where the constraints and the packages come from."""

    VENDORED = "vendored"  # constraints from plugins.zip, packages from the index that pip is set to
    PUBLIC = "public"  # constraints from the address that MWAA's guide gives; a private network cannot reach it
    WHEELS = "wheels"  # both from plugins.zip: no network at all


def requirements_text(version: Version, source: Source) -> str:
    lines = [f"# For Amazon MWAA with Airflow {version.airflow} and Python {version.python}; made by `make mwaa`."]
    if source is Source.WHEELS:
        lines += ["--no-index", f"--find-links {PLUGINS_ON_MWAA}"]
    where = f"{PLUGINS_ON_MWAA}/{version.constraints.name}"
    if source is Source.PUBLIC:
        where = PUBLIC_CONSTRAINTS.format(airflow=version.airflow, python=version.python)
    lines += [f'--constraint "{where}"', *(version.pinned(package) for package in PACKAGES)]
    return "\n".join(lines) + "\n"


def read_from(text: str, plugins: str) -> str:
    """Return requirements as a machine reads them that has the unpacked plugins.zip in another folder."""
    return text.replace(PLUGINS_ON_MWAA, plugins)
