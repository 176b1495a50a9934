"""The committed templates are what CDK makes of the code, and what CloudFormation takes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.aws.policies import ROLES
from infra.declared import STACKS
from tests.conftest import PROJECT
from tests.infra.conftest import Tree

TEMPLATES = PROJECT / "infra" / "aws" / "templates"
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
NEW_ACTIONS = {
    "restartconnector",
    "pauseconnector",
    "resumeconnector",
}  # newer than cfn-lint's table


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("templates")
    done = subprocess.run(
        [sys.executable, "-m", "infra.aws", str(folder)],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return folder, done.stdout


def test_the_committed_templates_are_what_the_code_makes(synthesized: tuple[Path, str]) -> None:
    folder, _ = synthesized
    stale = [
        name for name in STACKS if (folder / f"{name}.json").read_text() != (TEMPLATES / f"{name}.json").read_text()
    ]

    assert not stale, f"make infra, and commit infra/aws/templates: {', '.join(stale)}"
    assert {file.stem for file in TEMPLATES.iterdir()} == set(STACKS)


def test_no_finding_of_cdk_nag_is_without_a_reason(synthesized: tuple[Path, str]) -> None:
    assert "0 findings" in synthesized[1]


@pytest.mark.parametrize("region", REGIONS)
def test_cfn_lint_finds_nothing(region: str) -> None:
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "--format", "json", "--regions", region, "-t", *map(str, sorted(TEMPLATES.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)

    said = [f"{one['Filename']}: {one['Rule']['Id']}: {one['Message']}" for one in json.loads(done.stdout or "[]")]
    assert [line for line in said if not any(f"'{action}' is not one of" in line for action in NEW_ACTIONS)] == []


def test_the_actions_that_cfn_lint_does_not_know_are_in_the_additions_to_botocore() -> None:
    extras = PROJECT / "plugins/pinterest_pipeline/msk_connect/botocore_extras"

    known = "".join(file.read_text() for file in extras.rglob("*.json")).lower()

    assert all(f'"{action}"' in known for action in NEW_ACTIONS)


def test_every_imported_value_is_exported_by_an_earlier_stack(tree: Tree) -> None:
    exported: set[str] = set()
    for stack in STACKS:
        template = tree.template(stack)
        imported = set(re.findall(r'"Fn::ImportValue": \{"Fn::Sub": "(.*?)"', json.dumps(template)))
        assert imported <= exported, f"{stack} imports {imported - exported}"
        exported |= {output["Export"]["Name"]["Fn::Sub"] for output in template["Outputs"].values()}


def test_what_holds_records_outlives_its_stack(tree: Tree) -> None:
    retained = {
        resource["Type"]
        for stack in STACKS
        for resource in tree.template(stack)["Resources"].values()
        if resource.get("DeletionPolicy") == resource.get("UpdateReplacePolicy") == "Retain"
    }

    assert retained == {
        *("AWS::S3::Bucket", "AWS::MSK::Cluster", "AWS::MSK::Topic", "AWS::RDS::DBInstance"),
        *("AWS::MSK::Configuration", "AWS::RDS::DBSubnetGroup", "AWS::RDS::DBParameterGroup"),  # what those hold on to
    }


def test_every_bucket_is_private_versioned_encrypted_and_tls_only(tree: Tree) -> None:
    buckets = list(tree.resources("lake", "AWS::S3::Bucket"))

    for bucket in buckets:
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["BucketEncryption"]
        assert any("AbortIncompleteMultipartUpload" in rule for rule in bucket["LifecycleConfiguration"]["Rules"])
    denied = [policy["PolicyDocument"]["Statement"][0] for policy in tree.resources("lake", "AWS::S3::BucketPolicy")]
    assert [one["Condition"] for one in denied] == [{"Bool": {"aws:SecureTransport": "false"}}] * len(buckets)


def test_each_role_has_its_policies_and_no_other(tree: Tree) -> None:
    roles = {role["RoleName"]: role for role in tree.resources("access", "AWS::IAM::Role")}
    policies = {policy["ManagedPolicyName"] for policy in tree.resources("access", "AWS::IAM::ManagedPolicy")}

    assert set(roles) == {f"pinterest-{role}" for role in ROLES}
    assert len(policies) == sum(map(len, ROLES.values()))
    assert all("Policies" not in role for role in roles.values())


def test_no_template_has_an_account_or_a_secret() -> None:
    for file in TEMPLATES.iterdir():
        assert not re.search(r"\b\d{12}\b", file.read_text()), file
        assert '"SecretString": "{{resolve' not in file.read_text()
