"""The Variable ``pinterest_pipeline``, by templates that only running tasks render; docs/connections.md has its keys.

A DAG with such a template has ``user_defined_macros=MACROS``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.tables import stream_prefix, topic_names
from pinterest_pipeline.lake.generations import topics_dir

NAME = "pinterest_pipeline"
REMEDY = "see docs/connections.md"
NEEDED: Any = object()
TOPICS_DIR = "{{ topics_dir(pipeline_variable(var)('generation', '')) }}"


MAX_DEAD_LETTER_SHARE = 0.01  # of a table's rows in one run; `max_dead_letter_share` of the Variable replaces it


def setting(path: str, default: str | float | None = None) -> str:
    """Return the template of one value, such as ``databricks.cluster``, or of a part of a longer text.

    By itself it is a native object: what must stay text, whatever it looks like, is a :func:`text_setting`.

    :param default: Where the Variable may leave it out.
    """
    arguments = f"'{path}'" if default is None else f"'{path}', {default!r}"
    return f"{{{{ pipeline_variable(var)({arguments}) }}}}"


def text_setting(path: str, default: str | None = None) -> str:
    """Return the template of a value that is text and stands by itself: 2026 is then a name, and no number.

    The DAGs render native objects, for which Jinja evaluates whatever a template's whole result looks like.
    """
    return setting(path, default).replace("{{ ", "{{ as_text(").replace(" }}", ") }}")


def as_text(value: object) -> str:
    return repr(str(value))


def pipeline_variable(var: Mapping[str, Any]) -> Callable[..., Any]:
    """Read the Variable and return a function from the path of a value to the value; ``var`` is Airflow's.

    The function takes a default as its second argument. Without one it raises :class:`PermanentError` where the value
    is not there or null, naming the whole path; it returns empty texts as they are.

    :raises TransientError: No such Variable. It may be there the next time: Airflow passes over a secrets backend that
        does not answer.
    :raises PermanentError: It is no JSON object.
    """
    variable = read(var)

    def value(path: str, default: Any = NEEDED) -> Any:
        found: Any = variable
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        if found is not None:
            return found
        if default is NEEDED:
            raise PermanentError(f"Variable {NAME} has no value for {path}: add it, {REMEDY}.")
        return default

    return value


def read(var: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        variable = getattr(var["json"], NAME)
    except ValueError as error:
        raise PermanentError(f"Variable {NAME} is not JSON ({error}): correct it, {REMEDY}.") from error
    except AirflowRuntimeError as error:
        if error.error.error != ErrorType.VARIABLE_NOT_FOUND:
            raise
        if exists(var):  # Airflow passes over a value that it cannot read, and then finds none
            raise PermanentError(f"Variable {NAME} is not JSON: correct it, {REMEDY}.") from error
        raise TransientError(f"Variable {NAME} does not exist: create it, {REMEDY}.") from error
    if not isinstance(variable, Mapping):
        raise PermanentError(
            f"Variable {NAME} is a JSON {type(variable).__name__}, not an object: correct it, {REMEDY}."
        )
    return variable


def exists(var: Mapping[str, Any]) -> bool:
    try:
        getattr(var["value"], NAME)
    except AirflowRuntimeError:
        return False
    return True


MACROS: dict[str, Any] = {
    "as_text": as_text,
    "pipeline_variable": pipeline_variable,
    "stream_prefix": stream_prefix,
    "topic_names": topic_names,
    "topics_dir": topics_dir,
}
