"""Tests of infra/: in an environment of their own, with no cloud and no server."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import PROJECT

PARAMETERS = {"AWS::Partition": "aws", "AWS::AccountId": "0" * 12, "AWS::Region": "us-east-1", "Name": "pinterest"}


@dataclass(frozen=True)
class Tree:
    """The files of the repository, with texts of some replaced: what a check would say once one side changes.

    :param replaced: By path: a text that stands in the file, and what stands there instead.
    """

    replaced: dict[str, tuple[str, str]] = field(default_factory=dict)

    def text(self, path: str) -> str:
        content = (PROJECT / path).read_text(encoding="utf-8")
        if path not in self.replaced:
            return content
        old, new = self.replaced[path]
        assert old in content, f"{path} has no {old!r}"
        return content.replace(old, new)

    def json(self, path: str) -> Any:
        return json.loads(self.text(path))

    def template(self, stack: str) -> dict[str, Any]:
        found: dict[str, Any] = self.json(f"infra/aws/templates/{stack}.json")
        return found

    def resources(self, stack: str, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the properties of a stack's resources of one type, with the parameters of an example filled in."""
        for resource in self.template(stack)["Resources"].values():
            if resource["Type"] == kind:
                yield filled(resource["Properties"])


def filled(value: Any) -> Any:
    """Return the value with functions of CloudFormation as text, and what is not known here as ``<name>``."""
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    ((function, argument), *rest) = value.items() or [("", None)]
    return FUNCTIONS[function](argument) if function in FUNCTIONS and not rest else as_they_are(value)


def as_they_are(value: dict[str, Any]) -> dict[str, Any]:
    return {key: filled(inner) for key, inner in value.items()}


def substituted(text: str) -> str:
    for name, known in PARAMETERS.items():
        text = text.replace(f"${{{name}}}", known)
    return text


FUNCTIONS: dict[str, Callable[[Any], str]] = {
    "Ref": lambda name: PARAMETERS.get(name, f"<{name}>"),
    "Fn::Sub": substituted,
    "Fn::Join": lambda arguments: arguments[0].join(str(filled(part)) for part in arguments[1]),
    "Fn::ImportValue": lambda key: f"<{filled(key).removeprefix('pinterest-')}>",
    "Fn::GetAtt": lambda names: f"<{'.'.join(names)}>",
    "Fn::FindInMap": lambda names: f"<{names[2]}>",
}


@pytest.fixture(scope="session")
def tree() -> Tree:
    return Tree()
