"""``python -m deploy``: the bundle for Amazon MWAA, and its way into the bucket."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.bundle import build
from deploy.environment import environment_for
from deploy.errors import DeployError
from deploy.requirements import Source
from deploy.upload import PARTS, Target, upload
from deploy.versions import DEFAULT_AIRFLOW, PROJECT, version

BUNDLE = PROJECT / "dist" / "mwaa"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    mwaa_parser = commands.add_parser("mwaa", help="build the bundle")
    mwaa_parser.add_argument("--output", type=Path, default=BUNDLE)
    mwaa_parser.add_argument("--packages", type=Source, choices=list(Source), default=Source.VENDORED,
                             help="where constraints and packages come from on MWAA")  # fmt: skip
    environment_parser = commands.add_parser("environment", help="make what MWAA installs, and print its Python")
    for with_version in (mwaa_parser, environment_parser):
        with_version.add_argument("--airflow", default=DEFAULT_AIRFLOW, help=f"MWAA's version ({DEFAULT_AIRFLOW})")
    upload_parser = commands.add_parser("upload", help="put the bundle into an environment's bucket")
    upload_parser.add_argument("bucket", help="a bucket that keeps versions")
    upload_parser.add_argument("--bundle", type=Path, default=BUNDLE)
    upload_parser.add_argument("--prefix", default="", help="a folder in the bucket")
    upload_parser.add_argument("--environment", default="", help="the environment's name, for the printed call")
    upload_parser.add_argument("--only", choices=list(PARTS), default="all")
    upload_parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    options = parser.parse_args(arguments)
    actions: dict[str, Callable[[argparse.Namespace], int]] = {"mwaa": mwaa, "environment": environment, "upload": send}
    try:
        return actions[options.command](options)
    except DeployError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1


def mwaa(options: argparse.Namespace) -> int:
    manifest = build(version(options.airflow), options.output, options.packages)
    print(f"{options.output}: {len(manifest['files'])} files for Airflow {manifest['airflow']}, {manifest['commit']}")
    return 0


def environment(options: argparse.Namespace) -> int:
    print(environment_for(version(options.airflow)))
    return 0


def send(options: argparse.Namespace) -> int:
    target = Target(options.bucket, options.prefix, options.environment, options.only, options.dry_run)
    upload(options.bundle, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
