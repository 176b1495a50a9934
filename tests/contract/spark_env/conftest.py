"""One Spark session for the run, with Kinesis and its keys in reach, as a Databricks cluster's role would have it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT / "include" / "spark"))

from pinterest_spark.session import build_session  # noqa: E402 - the package is beside the notebooks, not installed
from tests.support.kinesis import KinesisLab  # noqa: E402 - as above
from tests.support.kinesis_source import SourceLab  # noqa: E402 - as above


@pytest.fixture(scope="session")
def kinesis_environment(stand_ins: Callable[..., dict[str, str]]) -> dict[str, str]:
    """Return what ``sandbox env`` prints, with the AWS part of it in this process, which Spark's workers inherit."""
    environment = stand_ins("kinesis")
    os.environ.update({name: value for name, value in environment.items() if name.startswith("AWS_")})
    return environment


@pytest.fixture(scope="session")
def spark(kinesis_environment: dict[str, str]) -> Iterator[Any]:
    session = build_session("tests", size="test", jars=str(PROJECT / ".jars" / "spark"), environment={})
    yield session
    session.stop()


@pytest.fixture
def kinesis(kinesis_environment: dict[str, str]) -> Iterator[KinesisLab]:
    """Return a stream of the test's own, not created yet; it is gone after the test."""
    lab = KinesisLab(kinesis_environment)
    yield lab
    lab.delete()


@pytest.fixture
def source(spark: Any, kinesis: KinesisLab, tmp_path: Path) -> Iterator[SourceLab]:
    """Return what reads that stream through the source, from one checkpoint."""
    lab = SourceLab(spark, kinesis, tmp_path / "checkpoint")
    yield lab
    lab.stop()
