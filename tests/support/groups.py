"""Which groups of tests there are, in which environment each runs, and in which order."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
HOME_VARIABLE = "PINTEREST_TEST_HOME"  # of a lane that has servers of its own
TEST_HOME = PROJECT / os.environ.get(HOME_VARIABLE, ".sandbox-test")
# How the servers of the tests are started: C1 only, for a test run is over before what the JVM's optimising compiler
# costs comes back. Kafka, Connect and a Spark driver start with 16 CPU-s instead of 27.
SERVER_ENVIRONMENT = {
    "PINTEREST_SANDBOX_HOME": str(TEST_HOME),
    "PINTEREST_SANDBOX_PORTS": "any",
    "PINTEREST_SPARK_SIZE": "test",
    "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1",
}
SERVERS = ("kinesis", "kafka_rest", "msk_connect", "databricks")  # what these need comes along
PATHS = {
    "airflow": ("plugins", "."),
    "infra": (".",),
    "mwaa-3.0.6": ("plugins", ".", ".venv/mwaa-pytest"),
    "spark": ("include/spark", "."),
    "sandbox": (".",),
}


@dataclass(frozen=True)
class Group:
    """One pytest run.

    :param servers: What is started for it while the group before it runs.
    """

    environment: str
    folder: str
    servers: tuple[str, ...] = ()

    @property
    def may_fail_once(self) -> bool:
        """Against a dozen servers on two cores a bounded wait may once be too short; what fails twice is broken."""
        return self.folder.startswith(("tests/contract", "tests/e2e"))

    def __str__(self) -> str:
        return f"{self.folder} ({self.environment})"


LANES: dict[str, tuple[Group, ...]] = {
    "contract": (
        Group("sandbox", "tests/sandbox", ("postgres", "kinesis")),
        Group("sandbox", "tests/contract/sandbox_env", SERVERS),
        Group("spark", "tests/contract/spark_env", SERVERS),
        Group("airflow", "tests/contract/airflow_env", SERVERS),
    ),
    "end-to-end": (Group("sandbox", "tests/e2e", ("airflow",)),),
    "isolated": (
        Group("airflow", "tests/unit"),
        Group("sandbox", "tests/docs"),
        Group("infra", "tests/infra"),
        Group("airflow", "tests/dags"),
        Group("mwaa-3.0.6", "tests/dags"),
        Group("sandbox", "tests/bundle"),
        Group("spark", "tests/spark"),
    ),
}


def chosen_groups(lane: str | None, folders: Collection[str]) -> dict[str, list[Group]]:
    """Return by lane the groups to run; the lanes run beside each other, each with servers of its own."""
    wanted = {
        name: [group for group in groups if is_wanted(group, folders)]
        for name, groups in LANES.items()
        if lane in (None, name)
    }
    return {name: groups for name, groups in wanted.items() if groups}


def home_of(lane: str) -> str:
    """Return the folder of a lane's servers, below the project."""
    return f".sandbox-test-{lane}"


def is_wanted(group: Group, folders: Collection[str]) -> bool:
    return (not folders or group.folder in folders) and any((PROJECT / group.folder).glob("**/test_*.py"))
