"""How each program that documents show is checked; what a table leaves open is run elsewhere, by the test it names."""

import argparse
import ast
import importlib
import re
import subprocess
from collections.abc import Callable
from itertools import pairwise
from unittest import mock

from tests.conftest import PROJECT
from tests.docs import aws_model, rest_api
from tests.docs.known import ASTRO, BY_HAND, DATABRICKS, KAFKA_TOPICS, MAKE_RUN_BY, PSQL

MAKEFILE = (PROJECT / "Makefile").read_text()


class ParsedError(Exception):
    """Carries what a real argument parser made of its words, before anything is done with it."""


def make(words: list[str], is_mention: bool) -> str | None:
    goals = [word for word in words if not word.startswith("-") and "=" not in word]
    if is_mention and not goals:
        return None
    if unknown := [goal for goal in goals if not re.search(rf"^{re.escape(goal)}:", MAKEFILE, re.MULTILINE)]:
        return f"the Makefile has no target {', '.join(unknown)}"
    variables = [word.partition("=")[0] for word in words if "=" in word]
    if unread := [name for name in variables if f"$({name})" not in MAKEFILE and f"${{{name}}}" not in MAKEFILE]:
        return f"the Makefile does not read {', '.join(unread)}"
    if uncovered := [goal for goal in goals if goal not in MAKE_RUN_BY]:
        return f"nothing is known to run `make {uncovered[0]}`: add it to tests/docs/known.py with the test that does"
    dry = subprocess.run(["make", "-n", *words], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    return dry.stderr.strip() or None if dry.returncode else None


def module(words: list[str], is_mention: bool) -> str | None:
    """Let the module's own argument parser read its words: ``sandbox`` and ``deploy``."""
    name, *arguments = words
    if name not in {"sandbox", "deploy"}:
        return f"`python -m {name}` is no command of this project"
    main = importlib.import_module(f"{name}.__main__").main
    real = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, args: list[str] | None = None, namespace: object = None) -> None:
        raise ParsedError(real(parser, args, namespace))

    def complain(_: argparse.ArgumentParser, message: str) -> None:
        raise ValueError(message)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", stop), \
            mock.patch.object(argparse.ArgumentParser, "error", complain):  # fmt: skip
        try:
            main(arguments)
        except ParsedError:
            return None
        except ValueError as error:
            return None if is_mention and "required" in str(error) else str(error)
    return "its parser was not asked"


def python(words: list[str], is_mention: bool) -> str | None:
    if words[:1] == ["-m"]:
        return module(words[1:], is_mention)
    if words[:1] == ["-c"]:
        try:
            ast.parse(words[1])
        except SyntaxError as error:
            return f"Python cannot read it: {error}"
        return None  # tests/e2e/test_documented_commands.py runs it
    return None if words and (PROJECT / words[0]).is_file() else f"there is no file {words[:1]}"


def docker(words: list[str], is_mention: bool) -> str | None:
    """Check what is run in the sandbox's container; no engine runs where the tests do."""
    if words[:1] == ["build"]:
        file = dict(pairwise(words)).get("--file", f"{words[-1]}/Dockerfile")
        return None if (PROJECT / file).is_file() else f"there is no file {file}"
    if words[:1] in (["push"], ["login"]):
        return None if len(words) > 1 and not words[-1].startswith("-") else f"`docker {words[0]}` to what?"
    if words[:2] != ["exec", "pinterest-sandbox"]:
        return "documents show `docker build`, `login`, `push` and `exec pinterest-sandbox` only"
    if "container_name: pinterest-sandbox" not in (PROJECT / "docker-compose.override.yml").read_text():
        return "docker-compose.override.yml has no container of that name"
    return (
        python(words[3:], is_mention) if words[2:3] == ["python"] else f"no check knows `{words[2:3]}` in a container"
    )


def astro(words: list[str], is_mention: bool) -> str | None:
    """Compare with the commands of the Astro CLI, which no package registry has."""
    command, *rest = words
    if command not in ASTRO:
        return f"the Astro CLI has no command {command}"
    verb = next((word for word in rest if not word.startswith("-")), None)
    is_known = verb is None or not ASTRO[command] or verb in ASTRO[command]
    return None if is_known else f"`astro {command}` has no command {verb}"


def databricks(words: list[str], is_mention: bool) -> str | None:
    """Compare with the commands of the Databricks CLI that documents may use; no package registry has it."""
    command = tuple(words[:2])
    if command not in DATABRICKS:
        return f"tests/docs/checks.py does not know `databricks {' '.join(command)}`"
    count, options = DATABRICKS[command]
    if unknown := [word for word in words if word.startswith("--") and word not in options]:
        return f"`databricks {' '.join(command)}` has no {', '.join(unknown)}"
    position = next((index for index, word in enumerate(words) if word.startswith("--")), len(words))
    return None if position - 2 == count else f"`databricks {' '.join(command)}` takes {count} arguments"


def psql(words: list[str], is_mention: bool) -> str | None:
    options, values = words[::2], words[1::2]
    if unknown := [option for option in options if option not in PSQL]:
        return f"psql has no {', '.join(unknown)}"
    files = [value for option, value in zip(options, values, strict=True) if option == "--file"]
    return next((f"there is no file {file}" for file in files if not (PROJECT / file).is_file()), None)


def kafka_topics(words: list[str], is_mention: bool) -> str | None:
    unknown = [word for word in words if word.startswith("--") and word not in KAFKA_TOPICS]
    return f"kafka-topics.sh has no {', '.join(unknown)}" if unknown else None


def aws(words: list[str], is_mention: bool) -> str | None:
    if words[:2] == ["mwaa", "invoke-rest-api"] and "--path" in words:
        given = dict(pairwise(words))
        called = given.get("--method", ""), given["--path"], given.get("--body")
        return aws_model.problem(words) or rest_api.problem(*called)
    return aws_model.problem(words)


def curl(words: list[str], is_mention: bool) -> str | None:
    """Check calls of Airflow's REST API, the only ones that documents may show."""
    url = next((word for word in words if rest_api.PREFIX in word), None)
    if url is None:
        return "no check knows what this address answers to: add one to tests/docs/checks.py"
    given = dict(pairwise(words))
    body = given.get("-d") or given.get("--data") or given.get("--json")
    method = given.get("-X") or given.get("--request") or ("POST" if body else "GET")
    return rest_api.problem(method, url[url.index(rest_api.PREFIX) :], body)


def by_hand(words: list[str], is_mention: bool) -> str | None:
    return None


CHECKS: dict[str, Callable[[list[str], bool], str | None]] = {
    "make": make,
    "python": python,
    "astro": astro,
    "docker": docker,
    "aws": aws,
    "databricks": databricks,
    "curl": curl,
    "kafka-topics.sh": kafka_topics,
    "psql": psql,
    **dict.fromkeys(BY_HAND, by_hand),
}
