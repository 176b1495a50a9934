"""The Databricks bundle by the models of ``databricks-bundles``, and what it has in common with DAGs and templates."""

import json
import re

import pytest
import yaml
from databricks.bundles.cluster_policies import ClusterPolicy
from databricks.bundles.instance_pools import InstancePool
from databricks.bundles.secret_scopes import SecretScope

from infra import declared
from infra.steps import WORKSPACE
from tests.conftest import PROJECT

FILE = PROJECT / "infra" / "databricks" / "databricks.yml"
MODELS = {"secret_scopes": SecretScope, "cluster_policies": ClusterPolicy, "instance_pools": InstancePool}


@pytest.fixture(scope="module")
def bundle():
    return yaml.safe_load(FILE.read_text())


def definition(bundle):
    return json.loads(bundle["resources"]["cluster_policies"]["pinterest"]["definition"])


def test_every_resource_is_one_that_the_bundles_know(bundle) -> None:
    assert set(bundle["resources"]) == set(MODELS)
    for kind, resources in bundle["resources"].items():
        for resource in resources.values():
            assert MODELS[kind].from_dict(resource)


@pytest.mark.parametrize("kind", MODELS)
def test_a_misspelt_setting_is_noticed(bundle, kind: str) -> None:
    (resource,) = bundle["resources"][kind].values()

    with pytest.raises(ValueError, match="Unexpected field 'nmae'"):
        MODELS[kind].from_dict({**resource, "nmae": "x"})


def test_it_declares_no_job_since_the_dags_own_them(bundle) -> None:
    assert not {"jobs", "pipelines", "clusters"} & set(bundle["resources"])


def test_every_variable_is_declared(bundle) -> None:
    assert set(re.findall(r"\$\{var\.(\w+)\}", FILE.read_text())) == set(bundle["variables"])


def test_the_scope_is_the_one_of_the_variable(bundle) -> None:
    assert (
        bundle["resources"]["secret_scopes"]["pinterest"]["name"]
        == declared.variable()["databricks"]["warehouse_url_scope"]
    )


def test_the_policy_allows_the_clusters_of_the_variable(bundle) -> None:
    allowed = definition(bundle)["spark_version"]["values"]

    for part in ("databricks", "stream"):
        cluster = declared.variable()[part]["cluster"]
        assert cluster["spark_version"] in allowed
        assert cluster.get("data_security_mode", "SINGLE_USER") == definition(bundle)["data_security_mode"]["value"]


def test_the_guide_imports_the_files_to_where_the_variable_looks_for_them(bundle) -> None:
    assert declared.variable()["databricks"]["notebook_root"] == f"{WORKSPACE}/notebooks"
    assert set(bundle["targets"]) == {"dev", "prod"}
