"""``python -m sandbox seed``: load generated posts into the sandbox's source database."""

import argparse
import time

import psycopg

from sandbox.data.source import load
from sandbox.data.source.generator import MODES, MOST_ROWS
from sandbox.data.source.posters import ORIGINAL_ROWS
from sandbox.run.settings import SandboxError, Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="faithful",
        help="faithful: the original's rates; sane: coherent users; hard: bad input (default %(default)s)",
    )
    parser.add_argument(
        "--rows", type=row_count, default=ORIGINAL_ROWS, help="rows of each table (default %(default)s)"
    )
    parser.add_argument(
        "--seed", type=whole_number, default=7, help="the same seed gives the same bytes (default %(default)s)"
    )


def whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more, such as 7")
    return int(text)


def row_count(text: str) -> int:
    rows = whole_number(text)
    if not 1 <= rows <= MOST_ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and {MOST_ROWS}, what the id column holds")
    return rows


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Load the data set that ``options`` name and say in one sentence what happened."""
    began = time.monotonic()
    try:
        seeded = load.seed(settings.postgres_url("pinterest_source"), options.mode, options.rows, options.seed)
    except psycopg.OperationalError as error:
        raise SandboxError(
            f"Cannot seed: PostgreSQL on port {settings.ports['postgres']} said: {str(error).splitlines()[0]}. "
            "Start it with `python -m sandbox up --only postgres`."
        ) from error
    what = f"{seeded.rows:,} {options.mode} posts of seed {options.seed}"
    if seeded.was_loaded:
        print(f"seed: loaded {what} into three tables in {time.monotonic() - began:.1f} s", flush=True)
    else:
        print(f"seed: the source holds {what} already", flush=True)
    return 0
