"""``python -m infra.plan --env small``: every command from an empty account to the first run; ``--undo``: and back.

It calls nothing and needs no credentials: the steps are data (:mod:`infra.steps`), and so are the prices. ``--guide``
writes the deploy guide, ``docs/deploy.md``, from the same steps.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.capacity import EXAMPLES, Load, monthly_costs
from infra.errors import InfraError
from infra.sizes import require_name, require_region, size_named
from infra.steps import Step, steps

PROJECT = Path(__file__).resolve().parent.parent
GUIDE = PROJECT / "docs" / "deploy.md"
GUIDE_TEXT = Path(__file__).with_name("guide.md")
STEPS_HERE = "<!-- the steps -->\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make deploy-plan", description="Print the commands of a deployment.")
    parser.add_argument("--env", default="small", help="the size: small, medium or large")
    parser.add_argument("--name", default="pinterest", help="begins every name of the environment")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--undo", action="store_true", help="print how to take everything down, in reverse")
    parser.add_argument("--guide", action="store_true", help="write docs/deploy.md")
    options = parser.parse_args(arguments)
    try:
        size_named(options.env)
        plan = plan_of(require_name(options.name), require_region(options.region), options.env)
        if options.guide:
            GUIDE.write_text(guide(), encoding="utf-8")
            return 0
        print(undo(plan) if options.undo else do(plan, costs_of(options.env)), end="")
    except InfraError as error:
        print(f"deploy-plan: {error}", file=sys.stderr)
        return 1
    return 0


def plan_of(name: str, region: str, size: str) -> list[Step]:
    pools = json.loads((PROJECT / "include" / "airflow" / "pools.json").read_text(encoding="utf-8"))
    return steps(name, region, size, pools)


def costs_of(size: str) -> dict[str, float]:
    return monthly_costs(size_named(size), Load(EXAMPLES[size]))


def do(plan: list[Step], costs: dict[str, float]) -> str:
    """Return the plan as a script with its remarks; each line can be run by hand."""
    lines = [
        f"# {len(plan)} steps, about {sum(step.minutes for step in plan)} minutes of waiting, "
        f"${sum(costs.values()):,.0f} a month (an estimate: infra/prices.json).",
        "# Never run on a real account by the authors: read each line before you run it.",
    ]
    for number, step in enumerate(plan, 1):
        lines += ["", f"# {number}. {step.title}{remark(step, costs)}", *comment(step.purpose), *step.commands]
        lines += [f"# check: {step.check[0]}", f"#   -> {step.check[1]}"]
    return "\n".join(lines) + "\n"


def undo(plan: list[Step]) -> str:
    """Return what takes everything down: the names first, then each step's own undo, in reverse."""
    names, *rest = plan
    lines = ["# Takes everything down, the last step first. What deletes records says so above it.", *names.commands]
    for number, step in reversed(list(enumerate(rest, 2))):
        lines += ["", f"# {number}. {step.title}", *step.undo]
    return "\n".join(lines) + "\n"


def remark(step: Step, costs: dict[str, float]) -> str:
    said = [f"{step.minutes} minutes"] if step.minutes else []
    if step.costs:
        said.append(f"${sum(costs[key] for key in step.costs):,.0f} a month")
    return f" ({', '.join(said)})" if said else ""


def comment(text: str) -> Iterator[str]:
    yield from (f"# {sentence}" for sentence in text.replace(". ", ".\n").splitlines())


def guide() -> str:
    """Return ``docs/deploy.md``: its own text, with the steps of a small environment, and how to take it down."""
    plan, costs = plan_of("pinterest", "us-east-1", "small"), costs_of("small")
    shown = []
    for number, step in enumerate(plan, 1):
        shown += [f"## {number}. {step.title}", step.purpose, "```sh", *step.commands, "```"]
        wait = f"After {step.minutes} minutes or so" if step.minutes else "At once"
        shown += [f"{wait}, `{step.check[0]}` prints {step.check[1]}.{cost_line(step, costs)}", ""]
    text = GUIDE_TEXT.read_text(encoding="utf-8")
    return text.replace(STEPS_HERE, "\n".join(shown))


def cost_line(step: Step, costs: dict[str, float]) -> str:
    return f" About ${sum(costs[key] for key in step.costs):,.0f} a month from here on." if step.costs else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
