"""A connector of the test's own."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.s3_sink import SinkLab


@pytest.fixture(scope="session")
def connect_environment(stand_ins: Callable[..., dict[str, str]]) -> dict[str, str]:
    return stand_ins("kafka_connect")


@pytest.fixture
def sink(connect_environment: dict[str, str]) -> Iterator[SinkLab]:
    lab = SinkLab(connect_environment)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def validating(connect_environment: dict[str, str]) -> Iterator[SinkLab]:
    """A lab of which the plugin only validates configurations: no test leaves a trace, so one topic serves all."""
    lab = SinkLab(connect_environment)
    yield lab
    lab.close()
