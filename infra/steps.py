"""The steps from an empty account to the first run, and back: data, which the plan prints and the guide shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.declared import PLUGIN_KEY, PLUGIN_ZIP

TEMPLATES = "infra/aws/templates"
SIZED = frozenset({"network", "kafka", "rest", "database", "orchestration"})
IMAGE_TAG = "1"
DAGS = ("pinterest_sink_connector", "pinterest_kinesis_streams", "pinterest_stream_supervisor")
WORKSPACE = "/Workspace/Shared/pinterest"


@dataclass(frozen=True)
class Step:
    """One step.

    :param purpose: One or two sentences.
    :param commands: Lines of a shell, in order; a value that a later line uses is assigned by an earlier one.
    :param minutes: How long to wait until ``check`` says what it should.
    :param check: A command, and what it must print.
    :param undo: Lines that take the step back; empty where an earlier step's undo does it.
    :param costs: Keys of the monthly costs (``infra/capacity.py``) that begin here.
    """

    title: str
    purpose: str
    commands: tuple[str, ...]
    minutes: int
    check: tuple[str, str]
    undo: tuple[str, ...]
    costs: tuple[str, ...] = ()


def deploy(stack: str, size: str, *, named_roles: bool = False, **parameters: str) -> str:
    """Return the command that creates or updates a stack; running it again changes nothing."""
    given = {"Name": "$NAME", **({"Size": size} if stack in SIZED else {}), **parameters}
    overrides = " ".join(f'{key}="{value}"' for key, value in given.items())
    capability = " --capabilities CAPABILITY_NAMED_IAM" if named_roles else ""
    return (
        f'aws cloudformation deploy --stack-name "$NAME-{stack}" --template-file {TEMPLATES}/{stack}.json'
        f"{capability} --no-fail-on-empty-changeset \\\n  --parameter-overrides {overrides}"
    )


def delete(stack: str) -> tuple[str, str]:
    return (
        f'aws cloudformation delete-stack --stack-name "$NAME-{stack}"',
        f'aws cloudformation wait stack-delete-complete --stack-name "$NAME-{stack}"',
    )


def shared(variable: str, stack: str, key: str) -> str:
    """Return the line that assigns what a stack shares to a variable of the shell."""
    query = f"'Stacks[0].Outputs[?OutputKey==`Shared{key}`].OutputValue'"
    return f'{variable}=$(aws cloudformation describe-stacks --stack-name "$NAME-{stack}" \\\n  --query {query} --output text)'


def status(stack: str) -> tuple[str, str]:
    command = (
        f'aws cloudformation describe-stacks --stack-name "$NAME-{stack}" --query Stacks[0].StackStatus --output text'
    )
    return command, "CREATE_COMPLETE or UPDATE_COMPLETE"


def trigger(dag: str, body: str = '{"logical_date": null}') -> str:
    return f"aws mwaa invoke-rest-api --name \"$NAME\" --method POST --path /dags/{dag}/dagRuns --body '{body}'"


def unpause(dag: str) -> str:
    return (
        f'aws mwaa invoke-rest-api --name "$NAME" --method PATCH --path /dags/{dag} --body \'{{"is_paused": false}}\''
    )


def pool(name: str, given: Mapping[str, Any]) -> str:
    deferred = str(given["include_deferred"]).lower()
    body = f'{{"name": "{name}", "slots": {given["slots"]}, "include_deferred": {deferred}}}'
    return f"aws mwaa invoke-rest-api --name \"$NAME\" --method POST --path /pools --body '{body}'"


def steps(name: str, region: str, size: str, pools: Mapping[str, Mapping[str, Any]]) -> list[Step]:
    """Return every step for an environment of this name and size."""
    return [
        Step(
            "Names",
            "Everything that follows begins with the name. The three values in angle brackets are yours.",
            (
                f"export NAME={name} AWS_DEFAULT_REGION={region}",
                'export ALARM_EMAIL="<who gets the alarms>"',
                'export DATABRICKS_HOST="<workspace>.cloud.databricks.com" DATABRICKS_TOKEN="<token of a service principal>"',
                "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)",
                'LAKE="$NAME-lake-$ACCOUNT-$AWS_DEFAULT_REGION"',
                'DEPLOYMENT="$NAME-deployment-$ACCOUNT-$AWS_DEFAULT_REGION"',
            ),
            0,
            ('echo "$ACCOUNT"', "the number of your account"),
            (),
        ),
        Step(
            "Network",
            "Two private subnets, three in larger sizes, with one NAT gateway and a gateway endpoint of S3; security groups "
            "that let clients reach brokers and database. A Databricks workspace of your own VPC goes into this network, with "
            "the security group of the clients; else peer its VPC with it.",
            (deploy("network", size),),
            4,
            status("network"),
            delete("network"),
            ("nat",),
        ),
        Step(
            "Lake",
            "Two private buckets, versioned, encrypted, TLS only: the lake, and the one that MWAA reads its bundle from. MSK "
            "Connect writes `topics*/`, Airflow `dead-letters*/`, `progress/`, `runs/` and `emulation/`, Databricks `delta/` and "
            "`checkpoints/`. Both stay when the stack is deleted.",
            (deploy("lake", size),),
            2,
            status("lake"),
            (
                *delete("lake"),
                "# The next four lines delete every record. A bucket with versions is emptied by a rule, which takes a day:",
                *(
                    f'aws s3api put-bucket-lifecycle-configuration --bucket "{bucket}" --lifecycle-configuration '
                    '\'{"Rules": [{"ID": "empty", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}, '
                    '"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}]}\''
                    for bucket in ("$LAKE", "$DEPLOYMENT")
                ),
                *(f'aws s3api delete-bucket --bucket "{bucket}"' for bucket in ("$LAKE", "$DEPLOYMENT")),
            ),
            ("lake",),
        ),
        Step(
            "Kafka: MSK, topics, the connector's plugin",
            "The connector file names the S3 sink of Confluent: take its ZIP from Confluent Hub under their licence. The "
            "stack makes the cluster, with IAM and TLS, the topics of `topics.json`, the plugin, the log group of the "
            "connector and the repository of the proxy's image. The first line makes the role by which MSK Connect reaches "
            "your network, once an account; it fails where the role is there.",
            (
                "aws iam create-service-linked-role --aws-service-name kafkaconnect.amazonaws.com",
                f'aws s3 cp {PLUGIN_ZIP} "s3://$LAKE/{PLUGIN_KEY}"',
                deploy("kafka", size),
                shared("CLUSTER_ARN", "kafka", "ClusterArn"),
                'BROKERS=$(aws kafka get-bootstrap-brokers --cluster-arn "$CLUSTER_ARN" \\\n'
                "  --query BootstrapBrokerStringSaslIam --output text)",
            ),
            45,
            ('echo "$BROKERS"', "two or more addresses with port 9098"),
            (
                shared("CLUSTER_ARN", "kafka", "ClusterArn"),
                "CONFIGURATION=$(aws kafka list-configurations \\\n"
                "  --query \"Configurations[?Name=='$NAME'].Arn\" --output text)",
                *delete("kafka"),
                "# The next line deletes the cluster, which the stack leaves, with all that is in its topics; the last one",
                "# succeeds once it is gone, after half an hour or so:",
                'aws kafka delete-cluster --cluster-arn "$CLUSTER_ARN"',
                'aws kafka delete-configuration --arn "$CONFIGURATION"',
            ),
            ("msk",),
        ),
        Step(
            "Roles",
            "A role each for Airflow, the connector, the Kafka REST proxy and the clusters of Databricks. Let Databricks know "
            "the instance profile: workspace settings, *Instance profiles*.",
            (
                deploy("access", size, named_roles=True),
                shared("PROFILE_ARN", "access", "DatabricksProfileArn"),
                'databricks instance-profiles add "$PROFILE_ARN"',
            ),
            3,
            status("access"),
            (
                shared("PROFILE_ARN", "access", "DatabricksProfileArn"),
                'databricks instance-profiles remove "$PROFILE_ARN"',
                *delete("access"),
            ),
        ),
        Step(
            "Kafka REST proxy behind API Gateway",
            "Confluent's proxy with the IAM library of MSK on its class path, on Fargate behind an internal load balancer. "
            "API Gateway asks for a key, which is generated and lies in the secret of Airflow's connection.",
            (
                shared("REPOSITORY", "kafka", "ProxyRepository"),
                'aws ecr get-login-password | docker login --username AWS --password-stdin "$REPOSITORY"',
                f'docker build --platform linux/amd64 --tag "$REPOSITORY:{IMAGE_TAG}" infra/kafka-rest',
                f'docker push "$REPOSITORY:{IMAGE_TAG}"',
                deploy("rest", size, named_roles=True, ProxyImage=f"$REPOSITORY:{IMAGE_TAG}"),
            ),
            8,
            status("rest"),
            delete("rest"),
            ("proxy", "load_balancer", "api"),
        ),
        Step(
            "PostgreSQL",
            "The warehouse and, where you have none, the source. RDS keeps the master's password and rotates it every seven "
            "days, so nothing signs in as the master but `roles.sql`, once. The roles' passwords are generated, lie in the "
            "secrets of Airflow's connections, and do not rotate by themselves. The database is reached from inside the "
            "network only: run the lines from `HOST` on there, in a CloudShell of the VPC for example.",
            (
                deploy("database", size),
                shared("HOST", "database", "DatabaseHost"),
                shared("MASTER_SECRET", "database", "MasterSecretArn"),
                'MASTER=$(aws secretsmanager get-secret-value --secret-id "$MASTER_SECRET" --query SecretString --output text)',
                "WRITER=$(aws secretsmanager get-secret-value --secret-id airflow/connections/pinterest_warehouse \\\n"
                "  --query SecretString --output text)",
                "READER=$(aws secretsmanager get-secret-value --secret-id airflow/connections/pinterest_source \\\n"
                "  --query SecretString --output text)",
                'PGPASSWORD=$(echo "$MASTER" | jq -r .password) psql --host "$HOST" --username pinterest_master --dbname postgres \\\n'
                '  --set writer_password="$(echo "$WRITER" | jq -r .password)" \\\n'
                '  --set reader_password="$(echo "$READER" | jq -r .password)" --file infra/aws/roles.sql',
            ),
            15,
            status("database"),
            (
                *delete("database"),
                "# The next lines delete the database, which the stack leaves; its last snapshot stays:",
                'aws rds modify-db-instance --db-instance-identifier "$NAME" --no-deletion-protection --apply-immediately',
                'aws rds delete-db-instance --db-instance-identifier "$NAME" --final-db-snapshot-identifier "$NAME-last"',
                'aws rds wait db-instance-deleted --db-instance-identifier "$NAME"',
                'aws rds delete-db-subnet-group --db-subnet-group-name "$NAME"',
                'aws rds delete-db-parameter-group --db-parameter-group-name "$NAME"',
            ),
            ("database",),
        ),
        Step(
            "Databricks",
            "The notebooks, the package beside them, the answers, and the warehouse's URL as a secret for the notebooks.",
            (
                f"databricks workspace import-dir include/spark {WORKSPACE} --overwrite",
                f"databricks workspace import-dir include/sql/answers {WORKSPACE}/answers --overwrite",
                "databricks secrets create-scope pinterest",
                "WAREHOUSE_URL=$(aws secretsmanager get-secret-value --secret-id airflow/connections/pinterest_warehouse \\\n"
                "  --query SecretString --output text \\\n"
                '  | jq -r \'"postgresql://" + .login + ":" + .password + "@" + .host + ":5432/" + .schema + "?sslmode=require"\')',
                'databricks secrets put-secret pinterest warehouse_url --string-value "$WAREHOUSE_URL"',
                "aws secretsmanager create-secret --name airflow/connections/pinterest_databricks --secret-string \\\n"
                '  "{\\"conn_type\\": \\"databricks\\", \\"host\\": \\"$DATABRICKS_HOST\\", \\"password\\": \\"$DATABRICKS_TOKEN\\"}"',
            ),
            2,
            ("databricks secrets list-secrets pinterest", "warehouse_url"),
            (
                "aws secretsmanager delete-secret --secret-id airflow/connections/pinterest_databricks --recovery-window-in-days 7",
                "databricks secrets delete-scope pinterest",
                f"databricks workspace delete {WORKSPACE} --recursive",
            ),
            ("batch", "stream"),
        ),
        Step(
            "Airflow: MWAA",
            "The bundle first, then the environment with the versions of its three objects, and the Variable with what the "
            "other stacks made. `make deploy` is also what sends each later change ([MWAA](deploy-mwaa.md)).",
            (
                'make deploy BUCKET="$DEPLOYMENT"',
                *(
                    f'{variable}=$(aws s3api head-object --bucket "$DEPLOYMENT" --key {key} --query VersionId --output text)'
                    for variable, key in (
                        ("PLUGINS", "plugins.zip"),
                        ("REQUIREMENTS", "requirements.txt"),
                        ("STARTUP", "startup.sh"),
                    )
                ),
                deploy(
                    "orchestration",
                    size,
                    BootstrapBrokers="$BROKERS",
                    PluginsVersion="$PLUGINS",
                    RequirementsVersion="$REQUIREMENTS",
                    StartupScriptVersion="$STARTUP",
                ),
                *(pool(name, given) for name, given in pools.items()),
            ),
            35,
            ('aws mwaa get-environment --name "$NAME" --query Environment.Status --output text', "AVAILABLE"),
            delete("orchestration"),
            ("mwaa",),
        ),
        Step(
            "Alarms",
            "Alarms to one address, each with its place in the [runbook](runbook.md), and a dashboard. After MWAA, because "
            "the log group of Airflow's tasks is MWAA's to make. Confirm the subscription that the mail asks for.",
            (deploy("watch", size, AlarmEmail="$ALARM_EMAIL"),),
            2,
            (
                'aws cloudwatch describe-alarms --alarm-name-prefix "$NAME-" --query "length(MetricAlarms)"',
                "a number above 10",
            ),
            delete("watch"),
            ("alarms",),
        ),
        Step(
            "First run",
            "The DAGs make the connector, the streams and the stream's job. Then `pinterest_preflight` tells in one table "
            "whether everything is there: open its task `check_environment`, and begin with the first fault where there is "
            "one. After that all history is sent.",
            (
                *(unpause(dag) for dag in (*DAGS, "pinterest_preflight", "pinterest_daily_batch")),
                trigger("pinterest_preflight"),
                trigger(
                    "pinterest_daily_batch",
                    '{"logical_date": null, "conf": {"window_start": "2017-01-01", "window_end": "2027-01-01"}}',
                ),
            ),
            30,
            (
                'aws mwaa invoke-rest-api --name "$NAME" --method GET --path /dags/pinterest_preflight/dagRuns',
                "state success",
            ),
            (
                *(
                    f'aws mwaa invoke-rest-api --name "$NAME" --method PATCH --path /dags/{dag} --body \'{{"is_paused": true}}\''
                    for dag in ("pinterest_daily_batch", "pinterest_sink_connector")
                ),
                trigger("pinterest_stream_supervisor", '{"logical_date": null, "conf": {"stop": true}}'),
                trigger(
                    "pinterest_kinesis_streams",
                    '{"logical_date": null, "conf": {"delete": ["pin", "geo", "user"], "delete_without_approval": true}}',
                ),
                'CONNECTOR=$(aws kafkaconnect list-connectors --connector-name-prefix "$NAME-s3-sink" \\\n'
                "  --query 'connectors[0].connectorArn' --output text)",
                'aws kafkaconnect delete-connector --connector-arn "$CONNECTOR"',
            ),
            ("connector", "kinesis"),
        ),
    ]
