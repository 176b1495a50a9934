"""The helpers in ``tests/support``: every environment can import them, and the waiting loop says what it waited for."""

import subprocess
import sys

import pytest

from tests.conftest import PROJECT
from tests.support.waiting import read_until, wait_until

ALONE = {
    *("stream_driver", "measured", "publish_and_draw", "second_broker"),  # run as a program
    "properties",  # needs hypothesis, which the environments of Airflow and Spark have
}
IMPORT_ALL = """
import sys
import pytest
allowed = {"tests", *sys.stdlib_module_names}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ImportError(f"{name} is not in every environment: import it where it is used")
sys.meta_path.insert(0, Refuse())
for name in sys.argv[1:]:
    __import__(f"tests.support.{name}")
"""


def test_every_environment_can_import_every_helper() -> None:
    names = [file.stem for file in (PROJECT / "tests" / "support").glob("*.py") if file.stem not in ALONE]

    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
    )

    assert len(names) > 8
    assert done.returncode == 0, done.stderr[-1000:]


def test_waiting_returns_the_first_true_value() -> None:
    values = iter([None, 0, "there"])

    assert wait_until(lambda: next(values), 5, "a value", pause=0) == "there"


def test_waiting_in_vain_says_what_for() -> None:
    with pytest.raises(AssertionError, match="waited 0 s in vain: a value"):
        wait_until(lambda: None, 0, "a value")


def test_reading_returns_what_was_read_even_where_it_is_false() -> None:
    values = iter([2, 1, 0])

    assert read_until(lambda: next(values), lambda value: value == 0) == 0


def test_reading_in_vain_says_what_was_read_last() -> None:
    with pytest.raises(AssertionError, match="still 7"):
        read_until(lambda: 7, lambda value: value == 0, seconds=0)
