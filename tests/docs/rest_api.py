"""Check a call of Airflow's REST API by the description that Airflow itself ships."""

import json
import re
from functools import cache
from typing import Any

import yaml

from tests.conftest import PROJECT

DESCRIPTION = "airflow/api_fastapi/core_api/openapi/v2-rest-api-generated.yaml"
PREFIX = "/api/v2"  # which MWAA's invoke-rest-api adds by itself


def problem(method: str, path: str, body: str | None) -> str | None:
    """Say what is wrong with a call, None where Airflow has it and would read its body."""
    operation = found(method, path)
    if operation is None:
        return f"Airflow's REST API has no {method} {path}"
    if body is None:
        return "it needs a body" if operation.get("requestBody", {}).get("required") else None
    try:
        given = json.loads(body)
    except ValueError as error:
        return f"its body is no JSON: {error}"
    schema = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
    unknown = sorted(given.keys() - schema["properties"].keys())
    missing = sorted(set(schema.get("required", ())) - given.keys())
    return "; ".join(
        [*(f"its body has no {name}" for name in unknown), *(f"its body lacks {name}" for name in missing)]
    )


@cache
def description() -> Any:
    packages = PROJECT / ".venv" / "airflow" / "lib" / "python3.12" / "site-packages"
    return yaml.load((packages / DESCRIPTION).read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def found(method: str, path: str) -> Any:
    wanted = path.split("?", maxsplit=1)[0].removeprefix(PREFIX)
    for template, operations in description()["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template.removeprefix(PREFIX))
        if re.fullmatch(pattern, wanted) and method.lower() in operations:
            return operations[method.lower()]
    return None


def resolved(schema: Any) -> Any:
    """Follow a reference within the description."""
    while "$ref" in schema:
        schema = description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
