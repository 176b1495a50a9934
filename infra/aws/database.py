"""PostgreSQL: the warehouse and, where there is no other, the source; and the secrets of the roles that use them."""

import json

from aws_cdk import App, Fn
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secrets

from infra.aws.network import POSTGRES_PORT
from infra.aws.parts import PipelineStack, retain, shared

ENGINE_VERSION = "18"
CONNECTIONS = {  # connection of Airflow, which is the database's name, too: role of PostgreSQL
    "pinterest_source": "pinterest_reader",
    "pinterest_warehouse": "pinterest_writer",
}


class Database(PipelineStack):
    """The instance and a secret for each connection.

    RDS keeps the master's password and rotates it every seven days, so no program signs in as the master: it makes the
    roles once (``infra/aws/roles.sql``). Their passwords do not rotate by themselves, because batch, stream and page
    would break together.
    """

    def __init__(self, app: App) -> None:
        super().__init__(app, "database", "PostgreSQL, and the secrets of its roles")
        subnets = rds.CfnDBSubnetGroup(
            self, "Subnets",
            db_subnet_group_name=self.name,
            db_subnet_group_description="Private subnets", subnet_ids=Fn.split(",", shared("Subnets")),
        )  # fmt: skip
        tls = rds.CfnDBParameterGroup(
            self, "Parameters",
            db_parameter_group_name=self.name,
            family=f"postgres{ENGINE_VERSION}", description="TLS only", parameters={"rds.force_ssl": "1"},
        )  # fmt: skip
        instance = rds.CfnDBInstance(
            self, "Instance",
            db_instance_identifier=self.name, engine="postgres", engine_version=ENGINE_VERSION,
            db_instance_class=self.sized("database_class"), storage_type="gp3",
            allocated_storage=self.sized("database_storage_gb"), storage_encrypted=True,
            master_username="pinterest_master", manage_master_user_password=True, port=str(POSTGRES_PORT),
            db_subnet_group_name=subnets.ref, vpc_security_groups=[shared("DatabaseGroup")], publicly_accessible=False,
            db_parameter_group_name=tls.ref, backup_retention_period=7, copy_tags_to_snapshot=True,
            deletion_protection=True, auto_minor_version_upgrade=True, multi_az=True,
            enable_cloudwatch_logs_exports=["postgresql"],
        )  # fmt: skip
        retain(subnets, tls, instance)
        for connection, role in CONNECTIONS.items():
            self.connection(connection, role, instance.attr_endpoint_address)
        self.share(
            {
                "DatabaseHost": instance.attr_endpoint_address,
                "MasterSecretArn": Fn.get_att(instance.logical_id, "MasterUserSecret.SecretArn").to_string(),
            }
        )
        self.accept(
            {
                "AwsSolutions-SMG4": "A password that rotates by itself breaks batch, stream and page together.",
                "AwsSolutions-RDS11": "The port is no secret: only the clients' security group reaches it.",
            }
        )

    def connection(self, connection: str, role: str, host: str) -> None:
        fields = {
            "conn_type": "postgres", "port": POSTGRES_PORT, "schema": connection, "login": role,
            "extra": {"connect_timeout": 10, "sslmode": "require"}, "host": "HOST",
        }  # fmt: skip
        before, _, after = json.dumps(fields).partition("HOST")
        secrets.CfnSecret(
            self, "".join(word.capitalize() for word in connection.split("_")),
            name=f"airflow/connections/{connection}", description=f"Airflow's connection {connection}",
            generate_secret_string={
                "secretStringTemplate": Fn.join(host, [before, after]), "generateStringKey": "password",
                "excludePunctuation": True, "passwordLength": 40,
            },
        )  # fmt: skip
