"""Run the installers of ``.venv/tools`` as set-up does: through this machine's network, again where that helps."""

from collections.abc import Mapping
from pathlib import Path

from deploy.errors import DeployError
from deploy.versions import PROJECT
from sandbox.run.setup.commands import Runner, SetupError
from sandbox.run.setup.environments import network_environment

TOOLS = PROJECT / ".venv" / "tools" / "bin"
TIMEOUT_SECONDS = 600


def run_tool(what: str, tool: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """Run ``uv`` or ``python`` of the tools' environment.

    :param environment: Variables for it beside those of this process.
    :raises DeployError: with the end of its output, when no attempt succeeded.
    """
    if not (TOOLS / tool).exists():
        raise DeployError(f"{what} needs {tool} in .venv/tools: run `make setup`.")
    try:
        Runner(network_environment).run(
            [TOOLS / tool, *arguments], what, timeout=TIMEOUT_SECONDS, variables=environment
        )
    except SetupError as error:
        raise DeployError(str(error)) from error
