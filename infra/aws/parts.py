"""What the stacks share: parameters, sizes, values passed from one stack to a later one, log groups."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_logs as logs

from infra.sizes import MAX_NAME_CHARACTERS, NAME, read_sizes

TAGS = {"project": "pinterest-data-pipeline"}
sub = cdk.Fn.sub


class PipelineStack(cdk.Stack):
    """A stack of an environment: its parameter ``Name`` begins every name, and ``Size`` chooses the numbers."""

    def __init__(self, scope: cdk.App, name: str, description: str) -> None:
        super().__init__(scope, name, description=description, synthesizer=cdk.BootstraplessSynthesizer(), tags=TAGS)
        self.name = self.parameter(
            "Name", "Begins every name; the topics' prefix", default="pinterest",
            allowed_pattern=NAME.pattern, max_length=MAX_NAME_CHARACTERS,
        )  # fmt: skip
        self._sizes: cdk.CfnMapping | None = None

    def parameter(self, name: str, what: str, **settings: Any) -> str:
        """Declare a parameter and return its reference."""
        return cdk.CfnParameter(self, name, description=what, **settings).value_as_string

    def sized(self, setting: str) -> str:
        """Return the value that a setting of ``sizes.json`` has in the chosen size."""
        if self._sizes is None:
            sizes = read_sizes()
            self.parameter("Size", "One of infra/sizes.json", allowed_values=list(sizes))
            table = {name: {camel(key): value for key, value in size.items()} for name, size in sizes.items()}
            self._sizes = cdk.CfnMapping(self, "Sizes", mapping=table)
        return self._sizes.find_in_map(cdk.Fn.ref("Size"), camel(setting))

    def sized_number(self, setting: str) -> float:
        return cdk.Token.as_number(self.sized(setting))

    def three_zones(self) -> cdk.CfnCondition:
        """Return the condition that the chosen size has a third zone."""
        found = self.node.try_find_child("ThreeZones")
        wanted = cdk.Fn.condition_equals(self.sized("zones"), "3")
        return found if isinstance(found, cdk.CfnCondition) else cdk.CfnCondition(self, "ThreeZones", expression=wanted)

    def share(self, values: Mapping[str, str]) -> None:
        """Pass values to later stacks; they are outputs, too, which the deploy plan prints."""
        for key, value in values.items():
            cdk.CfnOutput(self, f"Shared{key}", value=value, export_name=sub(f"${{Name}}-{key}"))

    def log_group(self, key: str, name: str) -> logs.CfnLogGroup:
        return logs.CfnLogGroup(self, key, log_group_name=sub(name), retention_in_days=30)

    def accept(self, reasons: Mapping[str, str]) -> None:
        """Acknowledge findings of cdk-nag, each with its reason."""
        for rule, reason in reasons.items():
            cdk.Validations.of(self).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


def retain(*resources: cdk.CfnResource) -> None:
    """Leave resources standing when their stack is deleted or would replace them."""
    for resource in resources:
        resource.apply_removal_policy(cdk.RemovalPolicy.RETAIN)


def shared(key: str) -> str:
    """Return what an earlier stack shares under this key."""
    return cdk.Fn.import_value(sub(f"${{Name}}-{key}"))


def camel(setting: str) -> str:
    return "".join(word.capitalize() for word in setting.split("_"))
