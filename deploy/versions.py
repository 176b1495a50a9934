"""The Airflow versions of MWAA that a bundle can be for, and what the DAGs need there, pinned as MWAA pins it.

A further version is one more file in ``constraints/``: the pins of its image.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_AIRFLOW = "3.3.1"
PACKAGES = (  # what dags/ and plugins/ import; their own dependencies are the constraints' business
    "apache-airflow-providers-amazon[aiobotocore]",
    "apache-airflow-providers-databricks",
    "apache-airflow-providers-postgres",
    "apache-airflow-providers-standard",
    "urllib3",  # requests' own HTTP client, whose connections the Kafka REST hook bounds
)
PREINSTALLED = (  # what MWAA's image brings and the DAGs do not name; Airflow's own loading of plugins needs fab
    "apache-airflow[celery,statsd]",
    "apache-airflow-providers-fab",
)
FILE_NAME = re.compile(r"constraints-(?P<airflow>[\d.]+)-python(?P<python>[\d.]+)\.txt")


@dataclass(frozen=True)
class Version:
    """One Airflow of MWAA with its Python and its pins."""

    airflow: str
    python: str
    constraints: Path

    def pinned(self, package: str) -> str:
        """Return ``package==version`` as the constraints have it; Airflow itself is in none, and has its own."""
        name = package.partition("[")[0]
        if name == "apache-airflow":
            return f"{package}=={self.airflow}"
        for line in self.constraints.read_text().splitlines():
            constrained, _, version = line.partition("==")
            if constrained == name:
                return f"{package}=={version}"
        raise DeployError(f"{self.constraints.name} does not pin {name}: add the version that MWAA's image has.")


def versions() -> dict[str, Version]:
    """Return every version that ``constraints/`` has the pins of, by the name of its Airflow."""
    found = [(FILE_NAME.fullmatch(file.name), file) for file in sorted((PROJECT / "constraints").iterdir())]
    return {
        match["airflow"]: Version(match["airflow"], match["python"], file) for match, file in found if match is not None
    }


def version(airflow: str) -> Version:
    known = versions()
    if airflow not in known:
        raise DeployError(
            f"There are no pins for Airflow {airflow}, only for {', '.join(known)}: choose one of those "
            f"(AIRFLOW=…), or add constraints/constraints-{airflow}-python3.12.txt."
        )
    return known[airflow]
