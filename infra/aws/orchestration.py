"""MWAA, and the Variable that tells the DAGs where everything is."""

import json
from typing import Any

from aws_cdk import App, Fn
from aws_cdk import aws_mwaa as mwaa
from aws_cdk import aws_secretsmanager as secrets

from deploy.versions import DEFAULT_AIRFLOW
from infra import declared
from infra.aws.parts import PipelineStack, shared, sub

BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
BACKEND_KWARGS = {
    "connections_prefix": "airflow/connections",
    "variables_prefix": "airflow/variables",
    "connections_lookup_pattern": "^pinterest_",
    "variables_lookup_pattern": "^pinterest_",
}
VARIABLE_SECRET = "airflow/variables/pinterest_pipeline"  # noqa: S105 - its name
OBJECTS = {  # what an environment is told of its bundle: property's beginning, path in the bucket
    "Plugins": "plugins.zip",
    "Requirements": "requirements.txt",
    "StartupScript": "startup.sh",
}
LOGS = ("dagProcessingLogs", "schedulerLogs", "taskLogs", "webserverLogs", "workerLogs")
RUNTIME = "18.x-scala2.13"


class Orchestration(PipelineStack):
    """The environment runs the bundle that ``make deploy`` sent; its versions are parameters."""

    def __init__(self, app: App) -> None:
        super().__init__(app, "orchestration", "MWAA, and the Variable of the pipeline")
        versions = {
            f"{key}Version": self.parameter(f"{key}Version", f"Object version of {path}, as make deploy printed it")
            for key, path in OBJECTS.items()
        }
        environment = mwaa.CfnEnvironment(
            self, "Environment",
            name=self.name, airflow_version=DEFAULT_AIRFLOW, environment_class=self.sized("mwaa_class"),
            min_workers=1, max_workers=self.sized_number("mwaa_workers_max"),
            source_bucket_arn=Fn.join("", [sub("arn:${AWS::Partition}:s3:::"), shared("DeploymentBucket")]),
            dag_s3_path="dags",
            plugins_s3_path=OBJECTS["Plugins"], plugins_s3_object_version=versions["PluginsVersion"],
            requirements_s3_path=OBJECTS["Requirements"],
            requirements_s3_object_version=versions["RequirementsVersion"],
            startup_script_s3_path=OBJECTS["StartupScript"],
            startup_script_s3_object_version=versions["StartupScriptVersion"],
            execution_role_arn=shared("AirflowRoleArn"), webserver_access_mode="PUBLIC_ONLY",
            network_configuration={
                "subnetIds": [shared("SubnetA"), shared("SubnetB")],  # MWAA takes exactly two
                "securityGroupIds": [shared("ClientsGroup")],
            },
            airflow_configuration_options={
                "secrets.backend": BACKEND, "secrets.backend_kwargs": json.dumps(BACKEND_KWARGS)
            },
            logging_configuration={log: {"enabled": True, "logLevel": "INFO"} for log in LOGS},
            worker_replacement_strategy="GRACEFUL",
        )  # fmt: skip
        secrets.CfnSecret(
            self, "Variable",
            name=VARIABLE_SECRET, description="Airflow's Variable pinterest_pipeline", secret_string=self.variable(),
        )  # fmt: skip
        self.share({"WebserverUrl": environment.attr_webserver_url})
        self.accept({"AwsSolutions-SMG4": "No secret in it: the Variable lies where Airflow looks for Variables."})

    def variable(self) -> str:
        """Return the JSON of the Variable, with what the other stacks made in it."""
        brokers = self.parameter("BootstrapBrokers", "BootstrapBrokerStringSaslIam of aws kafka get-bootstrap-brokers")
        lake, region = shared("LakeBucket"), sub("${AWS::Region}")
        cluster = {
            kind: {
                "spark_version": RUNTIME, "node_type_id": self.sized(f"{kind}_node_type"),
                "num_workers": self.sized_number(f"{kind}_workers"),
                "data_security_mode": "SINGLE_USER",  # which an instance profile needs
                "aws_attributes": {"instance_profile_arn": shared("DatabricksProfileArn")},
            }
            for kind in ("batch", "stream")
        }  # fmt: skip
        values: dict[str, Any] = {
            "bucket": lake,
            "lake_uri": Fn.join("", ["s3://", lake]),
            "region": region,
            "topic_prefix": self.name,
            "kafka_replication_factor": self.sized_number("zones"),
            "msk_cluster_name": self.name,
            "connector.name": sub("${Name}-s3-sink"),
            "connector.plugin_arn": shared("PluginArn"),
            "connector.service_role_arn": shared("ConnectorRoleArn"),
            "connector.bootstrap_servers": brokers,
            "connector.subnets": [shared("SubnetA"), shared("SubnetB")],
            "connector.security_groups": [shared("ClientsGroup")],
            "connector.log_group": shared("ConnectorLogGroup"),
            "databricks.cluster": cluster["batch"],
            "stream.cluster": cluster["stream"],
            "stream.job_name": sub("${Name}-stream-posts"),
            "stream.checkpoint_uri": Fn.join("", ["s3://", lake, "/checkpoints/stream"]),
        }
        return self.to_json_string(with_tokens(declared.variable(), values))


def with_tokens(document: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return the document with values that CloudFormation fills in."""
    marked = declared.with_values(document, {path: f"@{path}" for path in values})

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        return values[value[1:]] if isinstance(value, str) and value.startswith("@") else value

    return {key: filled(value) for key, value in marked.items()}
