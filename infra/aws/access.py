"""Roles: one each for MWAA, the connector, the Kafka REST proxy and Databricks, with what ``policies.py`` grants."""

import json
import re
from collections.abc import Iterator
from typing import Any

from aws_cdk import App, Fn
from aws_cdk import aws_iam as iam

from infra import declared
from infra.aws.parts import PipelineStack, sub
from infra.aws.policies import ROLES, TRUST, Statement, statements_of

ASSUMED_FOR_ACCOUNT = frozenset({"connector"})  # only for resources of this account: no confused deputy

FOLDER = "The objects of one folder of the lake; the policy names the folder."
UUID = "The service adds a UUID or a suffix that is not known before."
MWAA = "MWAA's guide lists it so for every environment."
WILDCARDS = {  # end of a wildcard, as cdk-nag shows it: why there is one
    r"^\*$": "The action has no type of resource; parliament checks that.",
    r"/(topics|dead-letters)\*$|/(progress|emulation|runs|delta|checkpoints|dead-letters)/\*$": FOLDER,
    r":kafka:.*/<Name>/\*": UUID,
    r":(connector|connector-operation)/\*$|custom-plugin/<Name>-s3-sink/\*$": UUID,
    r"secret:airflow/\*$": UUID,
    r"stream/streaming-<Name>-\*$": "The streams of all tables; DAGs make them.",
    r"-deployment-.*/\*$|airflow-<Name>-\*$|:\*:airflow-celery-\*$|:kms:\*:\*:key/\*$": MWAA,
    r"^(s3:GetObject|s3:GetBucket|s3:List|kms:GenerateDataKey)\*$": MWAA,
}


class Access(PipelineStack):
    """Roles and managed policies; of MWAA's role watching and changing are apart, so that one can be detached."""

    def __init__(self, app: App) -> None:
        super().__init__(app, "access", "Roles of MWAA, the connector, the Kafka REST proxy and Databricks")
        declared.connector()  # refuses one that needs other rights
        for role, policies in ROLES.items():
            key = "".join(word.capitalize() for word in role.split("-"))
            made = iam.CfnRole(
                self, f"{key}Role", role_name=sub(f"${{Name}}-{role}"),
                assume_role_policy_document=trust(role),
                managed_policy_arns=[self.policy(role, name, policy()) for name, policy in policies.items()],
            )  # fmt: skip
            self.share({f"{key}RoleArn": made.attr_arn})
        profile = iam.CfnInstanceProfile(
            self, "DatabricksProfile",
            instance_profile_name=sub("${Name}-databricks"), roles=[Fn.ref("DatabricksRole")],
        )  # fmt: skip
        self.share({"DatabricksProfileArn": profile.attr_arn})
        self.accept(dict(wildcards()))

    def policy(self, role: str, name: str, statements: list[Statement]) -> str:
        suffix = role if name == role else f"{role}-{name}"
        key = "".join(word.capitalize() for word in suffix.split("-"))
        document = {"Version": "2012-10-17", "Statement": [substituted(one.document()) for one in statements]}
        made = iam.CfnManagedPolicy(
            self, f"{key}Policy", managed_policy_name=sub(f"${{Name}}-{suffix}"), policy_document=document
        )
        return made.ref


def wildcards() -> Iterator[tuple[str, str]]:
    """Yield each finding of cdk-nag about a wildcard in a policy, with the reason for it in ``WILDCARDS``.

    One that has no reason there stays a finding, and stops the synthesis.
    """
    for statement in (one for role in ROLES for one in statements_of(role)):
        texts = [("Action", action) for action in statement.actions]
        texts += [("Resource", resource) for resource in statement.resources]
        for kind, text in texts:
            shown = re.sub(r"\$\{([\w:]+)\}", r"<\1>", text)
            for pattern, reason in WILDCARDS.items():
                if "*" in text and re.search(pattern, shown):
                    yield f"AwsSolutions-IAM5[{kind}::{shown}]", reason


def trust(role: str) -> dict[str, Any]:
    services = {"Effect": "Allow", "Principal": {"Service": list(TRUST[role])}, "Action": "sts:AssumeRole"}
    if role in ASSUMED_FOR_ACCOUNT:
        services["Condition"] = {"StringEquals": {"aws:SourceAccount": sub("${AWS::AccountId}")}}
    return {"Version": "2012-10-17", "Statement": [services]}


def substituted(value: Any) -> Any:
    """Return the value with every text that names a parameter as ``Fn::Sub``."""
    match value:
        case str():
            return sub(value) if re.search(r"\$\{", value) else value
        case list():
            return [substituted(one) for one in value]
        case dict():
            return {key: substituted(one) for key, one in json.loads(json.dumps(value)).items()}
    return value
