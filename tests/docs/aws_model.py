"""Check an ``aws`` command by botocore's model of the service, which the CLI itself is made from."""

import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from tests.conftest import PROJECT

SESSION = botocore.session.Session()
GLOBAL = {"--region": 1, "--profile": 1, "--endpoint-url": 1, "--output": 1, "--query": 1, "--no-cli-pager": 0}
# `aws s3` is the CLI's own, with no model: what documents may use of it.
S3 = {
    "cp": {"--recursive": 0, "--exclude": 1, "--include": 1, "--dryrun": 0, "--quiet": 0, "--only-show-errors": 0},
    "sync": {"--delete": 0, "--exclude": 1, "--include": 1, "--dryrun": 0, "--quiet": 0, "--only-show-errors": 0},
    "ls": {"--recursive": 0, "--human-readable": 0, "--summarize": 0},
    "rm": {"--recursive": 0, "--dryrun": 0, "--exclude": 1, "--include": 1},
    "mb": {},
    "rb": {"--force": 0},
}
# Commands of the CLI's own beside those of the service, with no model either.
CUSTOM = {
    ("cloudformation", "deploy"): {
        "--stack-name": 1, "--template-file": 1, "--capabilities": 1, "--no-fail-on-empty-changeset": 0,
    },
    ("ecr", "get-login-password"): {},
}  # fmt: skip
OVERRIDES = "--parameter-overrides"  # of `cloudformation deploy`: Name=value, as many as there are
WAITERS = "wait"
JSON_START = ("{", "[")


def problem(arguments: list[str]) -> str | None:
    """Say what is wrong with the words after ``aws``, None when the service would take them."""
    if len(arguments) < 2:
        return "names no service and operation"
    service, operation, *rest = arguments
    try:
        if service == "s3":
            return high_level_problem(operation, rest)
        if (service, operation) in CUSTOM:
            return custom_problem(service, operation, rest)
        return api_problem(service, operation, rest)
    except ValueError as error:
        return str(error)


def high_level_problem(command: str, rest: list[str]) -> str | None:
    if command not in S3:
        return f"`aws s3` has no command {command}"
    return unknown_option(f"aws s3 {command}", S3[command], rest)


def custom_problem(service: str, operation: str, rest: list[str]) -> str | None:
    """Check a command of the CLI's own, and that a template gets each parameter without a default, and no other."""
    options, _, overrides = (rest, "", []) if OVERRIDES not in rest else split_at(rest, OVERRIDES)
    problem = unknown_option(f"aws {service} {operation}", CUSTOM[service, operation], options)
    if problem or "--template-file" not in options:
        return problem
    template = PROJECT / options[options.index("--template-file") + 1]
    if not template.is_file():
        return f"there is no template {template.name}"
    declared = json.loads(template.read_text())["Parameters"]
    given = {word.partition("=")[0] for word in overrides}
    needed = {name for name, parameter in declared.items() if "Default" not in parameter}
    wrong = sorted((given - declared.keys()) | (needed - given))
    return (
        f"{template.name}: parameters that it does not have, or that are not given: {', '.join(wrong)}"
        if wrong
        else None
    )


def split_at(words: list[str], word: str) -> tuple[list[str], str, list[str]]:
    return words[: words.index(word)], word, words[words.index(word) + 1 :]


def unknown_option(command: str, options: dict[str, int], rest: list[str]) -> str | None:
    known = {**options, **GLOBAL}
    words = iter(rest)
    for word in words:
        if word.startswith("--") and word not in known:
            return f"`{command}` has no option {word}"
        for _ in range(known.get(word, 0)):
            next(words, None)
    return None


def api_problem(service: str, operation: str, rest: list[str]) -> str | None:
    service = {"s3api": "s3"}.get(service, service)
    if service not in SESSION.get_available_services():
        return f"AWS has no service {service}"
    model = SESSION.get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if operation == WAITERS:
        waiters = SESSION.get_waiter_model(service)
        operations = {xform_name(name, "-"): waiters.get_waiter(name).operation for name in waiters.waiter_names}
        operation, *rest = rest
    if operation not in operations:
        return f"{service} has no operation {operation}"
    called = model.operation_model(operations[operation])
    given = dict(parameters(called, rest))
    if called.input_shape is None or "CliInputJson" in given:
        return None
    report = ParamValidator().validate(given, called.input_shape)
    return report.generate_report() if report.has_errors() else None


def parameters(operation: OperationModel, rest: list[str]) -> Iterator[tuple[str, Any]]:
    members = operation.input_shape.members if operation.input_shape else {}
    known = {f"--{xform_name(name, '-')}": (name, shape) for name, shape in members.items()}
    position = 0
    while position < len(rest):
        option = rest[position]
        values = []
        while position + 1 < len(rest) and not rest[position + 1].startswith("--"):
            position += 1
            values.append(rest[position])
        position += 1
        positive = option.replace("--no-", "--", 1)
        if option in known:
            name, shape = known[option]
            yield name, value_of(shape, values)
        elif positive in known and known[positive][1].type_name == "boolean":
            yield known[positive][0], False
        elif option == "--cli-input-json":
            json.loads(values[0]) if values[0].startswith(JSON_START) else None
            yield "CliInputJson", values
        elif option.startswith("--") and option not in GLOBAL:
            raise ValueError(f"{operation.name} takes no {option}")
        elif not option.startswith("--"):
            streams = [name for name, shape in members.items() if shape.serialization.get("streaming")]
            if not streams and not operation.has_streaming_output:
                raise ValueError(f"{operation.name} does not know what to do with {option}")


def value_of(shape: Shape, values: list[str]) -> Any:
    """Read values as the CLI does: JSON, its shorthand, a list of words, or one word."""
    kind = shape.type_name
    if kind == "boolean" and values in ([], ["true"], ["false"]):
        return values != ["false"]
    if not values:
        raise ValueError(f"{shape.name} has no value")
    if values[0].startswith(JSON_START) and kind in {"structure", "map", "list"}:
        found = json.loads(values[0])
        return [found] if kind == "list" and isinstance(found, dict) else found
    if kind == "list":
        items = [item for value in values for item in ([value] if "=" in value else value.split(","))]
        return [value_of(shape.member, [item]) for item in items]
    if kind in {"structure", "map"}:
        return shorthand(shape, values[0])
    return {"integer": int, "long": int, "double": float, "float": float, "blob": str.encode}.get(kind, str)(values[0])


def shorthand(shape: Shape, text: str) -> dict[str, Any]:
    pairs = [pair.split("=", 1) for pair in re.split(r",(?=\w+=)", text)]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{shape.name} is neither JSON nor Key=value,…: {text}")
    if shape.type_name == "map":
        return {key: value_of(shape.value, [value]) for key, value in pairs}
    if unknown := [key for key, _ in pairs if key not in shape.members]:
        raise ValueError(f"{shape.name} has no {', '.join(unknown)}")
    return {key: value_of(shape.members[key], [value]) for key, value in pairs}
