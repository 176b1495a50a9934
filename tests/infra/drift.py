"""What two places of the repository say of one thing: each check returns a line for each difference."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from deploy.versions import DEFAULT_AIRFLOW
from tests.infra.conftest import Tree

HOURS_TO_MS = 3_600_000


def unequal(what: str, one: Any, other: Any) -> Iterator[str]:
    if one != other:
        yield f"{what}: {one!r} and {other!r}"


def topics(tree: Tree) -> Iterator[str]:
    """topics.json and the template's topics."""
    declared = {
        topic["name"].replace("${prefix}", "pinterest"): (topic["partitions"], topic["retention_hours"] * HOURS_TO_MS)
        for topic in tree.json("include/kafka/topics.json").values()
    }
    made = {
        topic["TopicName"]: (topic["PartitionCount"], int(re.findall(r"\d+", topic["Configs"]["Fn::Base64"])[-1]))
        for topic in tree.resources("kafka", "AWS::MSK::Topic")
    }
    yield from unequal("topics", declared, made)


def streams(tree: Tree) -> Iterator[str]:
    """streams.json, the streams that roles may use, and those whose iterator age is watched."""
    declared = {
        one["name"].replace("${prefix}", "pinterest") for one in tree.json("include/kinesis/streams.json").values()
    }
    watched = {
        dimension["Value"]
        for alarm in tree.resources("watch", "AWS::CloudWatch::Alarm")
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "StreamName"
    }
    yield from unequal("streams and alarms", declared, watched)
    arns = {
        resource
        for _, statement in statements(tree)
        for resource in listed(statement["Resource"])
        if ":kinesis:" in resource
    }
    patterns = [arn.rpartition("stream/")[2].removesuffix("*") for arn in arns]
    for name in declared:
        if not patterns or not all(name.startswith(pattern) for pattern in patterns):
            yield f"no role may use stream {name}, only {arns}"


def statements(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    for policy in tree.resources("access", "AWS::IAM::ManagedPolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            yield policy["ManagedPolicyName"].removeprefix("pinterest-"), statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def variable(tree: Tree) -> dict[str, Any]:
    (text,) = (
        one["SecretString"]
        for one in tree.resources("orchestration", "AWS::SecretsManager::Secret")
        if one["Name"].startswith("airflow/variables/")
    )
    found: dict[str, Any] = json.loads(re.sub(r"(?<=:)<([\w.]+)>(?=[,}])", r'"<\1>"', text))
    return found


def keys_of(value: Any, path: str = "") -> Iterator[str]:
    for key, inner in value.items():
        yield f"{path}{key}"
        if isinstance(inner, dict) and key != "cluster":
            yield from keys_of(inner, f"{path}{key}.")


def variables(tree: Tree) -> Iterator[str]:
    """The Variable of the example and the one of the template."""
    example = re.search(r"variable_value: \|\n(.*)", tree.text("airflow_settings.example.yaml"), re.DOTALL)
    assert example
    yield from unequal("keys of the Variable", set(keys_of(json.loads(example[1]))), set(keys_of(variable(tree))))
    for text in re.findall(r"example[-\w.]*|arn of[\w ]*|broker-\d|subnet-\w|sg-\w+", str(variable(tree))):
        yield f"the template's Variable still has {text!r} of the example"


def placeholders(tree: Tree) -> Iterator[str]:
    """Placeholders of the connector file, and the names that the Variable and the DAG give it."""
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)\}", tree.text("include/kafka/pinterest-s3-sink.json")))
    block = re.search(r'CONNECTOR_VALUES = """(.*?)"""', tree.text("dags/pinterest_sink_connector.py"), re.DOTALL)
    assert block
    given = set(re.findall(r"^    (\w+)=", block[1], re.MULTILINE)) | set(variable(tree)["connector"])
    yield from unequal("placeholders of the connector and their values", asked, given)


def folders(tree: Tree) -> Iterator[str]:
    """What the connector writes, and where its role may write."""
    connector = tree.json("include/kafka/pinterest-s3-sink.json")["connectorConfiguration"]
    dag = tree.text("dags/pinterest_sink_connector.py")
    written = [
        resource
        for name, statement in statements(tree)
        for resource in listed(statement["Resource"])
        if name == "connector" and "s3:PutObject" in statement["Action"]
    ]
    default = re.search(
        r'^TOPICS_DIR = "(\w+)"', tree.text("plugins/pinterest_pipeline/lake/generations.py"), re.MULTILINE
    )
    assert default
    yield from unequal("the folder of landed objects", [f"{default[1]}*"], [one.rpartition("/")[2] for one in written])
    yield from unequal("topics_dir", connector["topics.dir"], "${topics_dir}")
    dead = re.search(r"dead_letter_topic=topic ~ '(.*?)'", dag)
    allowed = [
        resource.rpartition("/")[2]
        for name, statement in statements(tree)
        for resource in listed(statement["Resource"])
        if name == "connector" and statement["Sid"] == "DeadLetters"
    ]
    yield from unequal("the dead-letter topic", [f"pinterest{dead[1]}" if dead else ""], allowed)


def log_group(tree: Tree) -> Iterator[str]:
    """The connector's log group, in the Variable's example and in the template."""
    groups = {group["LogGroupName"] for group in tree.resources("kafka", "AWS::Logs::LogGroup")}
    (wanted,) = re.findall(r'"log_group": "(.*?)"', tree.text("airflow_settings.example.yaml"))
    if wanted not in groups:
        yield f"log group {wanted} of the example is none of {sorted(groups)}"


def secrets(tree: Tree) -> Iterator[str]:
    """The names of the secrets, their fields, and the patterns by which Airflow looks for them."""
    page = tree.text("docs/connections.md")
    documented = set(re.findall(r"--name (airflow/[\w/]+)", page))
    stacks = ("rest", "database", "orchestration")
    made = [one for stack in stacks for one in tree.resources(stack, "AWS::SecretsManager::Secret")]
    names = {one["Name"] for one in made}
    by_hand = {"airflow/connections/pinterest_databricks"}  # its token is Databricks'
    warehouse = {"airflow/connections/pinterest_warehouse"}  # as the source's
    yield from unequal("secrets of the connections page and of the templates", documented | warehouse, names | by_hand)
    for one in made:
        template = one.get("GenerateSecretString", {}).get("SecretStringTemplate", "")
        kind = "http" if one["Name"].endswith("kafka_rest") else "postgres"
        if template and f'"conn_type": "{kind}"' not in template:
            yield f"{one['Name']} has no conn_type {kind}"
        if not one["Name"].rpartition("/")[2].startswith("pinterest_"):
            yield f"{one['Name']} is not what the lookup pattern finds"


def backend(tree: Tree) -> Iterator[str]:
    """The options of the secrets backend."""
    documented = dict(re.findall(r"\| `(secrets\.\w+)` \| `(.*?)` \|", tree.text("docs/connections.md")))
    (environment,) = tree.resources("orchestration", "AWS::MWAA::Environment")
    yield from unequal("options of the secrets backend", documented, environment["AirflowConfigurationOptions"])


def bundle(tree: Tree) -> Iterator[str]:
    """MWAA's environment and what ``make deploy`` uploads."""
    (environment,) = tree.resources("orchestration", "AWS::MWAA::Environment")
    page = tree.text("docs/deploy-mwaa.md")
    code = tree.text("deploy/bundle.py") + tree.text("deploy/upload_plan.py")
    yield from unequal("Airflow", environment["AirflowVersion"], DEFAULT_AIRFLOW)
    for option in ("dag", "plugins", "requirements", "startup-script"):
        documented = re.search(rf"--{option}-s3-path (\S+)", page)
        path = environment[f"{option.title().replace('-', '')}S3Path"]
        yield from unequal(f"{option} path", documented and documented[1], path)
        if path not in code:
            yield f"deploy/ uploads no {path}"


def gateway(tree: Tree) -> Iterator[str]:
    """The API and the sandbox's gateway: limits, stage, content types; and the client's time-out below the API's."""
    code = tree.text("sandbox/servers/ministack/api_gateway.py")
    constants = dict(re.findall(r'^(STAGE|RATE_LIMIT|BURST_LIMIT) = "?(\w+)"?', code, re.MULTILINE))
    (plan,) = tree.resources("rest", "AWS::ApiGateway::UsagePlan")
    (stage,) = tree.resources("rest", "AWS::ApiGateway::Stage")
    (api,) = tree.resources("rest", "AWS::ApiGateway::RestApi")
    (method,) = tree.resources("rest", "AWS::ApiGateway::Method")
    made = {
        "STAGE": stage["StageName"],
        "RATE_LIMIT": str(plan["Throttle"]["RateLimit"]),
        "BURST_LIMIT": str(plan["Throttle"]["BurstLimit"]),
    }
    yield from unequal("the gateway's limits", constants, made)
    if f"binaryMediaTypes={api['BinaryMediaTypes']}".replace("'", '"') not in code:
        yield f"the sandbox's gateway has other binary types than {api['BinaryMediaTypes']}"
    retries = tree.text("plugins/pinterest_pipeline/kafka_rest/retries.py")
    seconds = re.search(r"^READ_TIMEOUT_SECONDS = (\d+)", retries, re.MULTILINE)
    if not seconds or int(seconds[1]) * 1_000 >= method["Integration"]["TimeoutInMillis"]:
        yield "READ_TIMEOUT_SECONDS is not below the API's time-out"


RIGHTS = {  # page: the services whose rights it tells, and the policies that must have exactly those
    "docs/connections/kinesis.md": ("kinesis", {"airflow-watch", "airflow-change"}),
    "docs/connections/msk_connect.md": ("kafkaconnect", {"airflow-watch", "airflow-change"}),
}


def rights(tree: Tree) -> Iterator[str]:
    """The rights that the pages tell, and those of the policies."""
    for page, (service, policies) in RIGHTS.items():
        text = tree.text(page)
        told = rights_in(text, service)
        granted = {
            action.partition(":")[2]
            for name, statement in statements(tree)
            for action in statement["Action"]
            if name in policies and action.startswith(f"{service}:")
        }
        yield from unequal(f"{page}, rights of {service}", told, granted)


def rights_in(text: str, service: str) -> set[str]:
    """Return the actions of a page: ``service:First`` and the names that follow it in backticks, up to another kind."""
    if service == "kinesis":
        table = text.partition("## Rights")[2].partition("Streams that are encrypted")[0]
        return {
            name
            for name in re.findall(r"`(?:kinesis:)?([A-Z]\w+)`", table)
            if not name.startswith(("Kinesis", "GetMetric"))
        }
    listing = text.partition("The role needs")[2].partition("`iam:PassRole`")[0]
    return set(re.findall(r"`(?:kafkaconnect:)?([A-Z]\w+)`", listing))


def libraries(tree: Tree) -> Iterator[str]:
    """The packages that tasks bring to their clusters: of the batch, of the stream, and those that tests ran with."""
    batch = set(re.findall(r'"([\w\[\]]+==[\d.]+)"', tree.text("plugins/pinterest_pipeline/dag/lakehouse.py")))
    stream = set(re.findall(r'"package": "(.*?)"', tree.text("include/databricks/stream_posts_job.json")))
    pinned = set(re.findall(r"^((?:psycopg|pgpq)\S*==[\d.]+)", tree.text("requirements/spark.in"), re.MULTILINE))
    if batch:
        yield from unequal("libraries of batch and stream", batch, stream)
    yield from unequal("libraries of the stream and of the tests", stream, pinned)


def runtime(tree: Tree) -> Iterator[str]:
    """Databricks' runtime, in the example and in the templates, and the Spark that tests run with."""
    versions = set(re.findall(r'"spark_version": "(.*?)"', tree.text("airflow_settings.example.yaml")))
    yield from unequal(
        "runtime", versions, {variable(tree)[part]["cluster"]["spark_version"] for part in ("databricks", "stream")}
    )
    if "pyspark==4.1." not in tree.text("requirements/spark.in") and versions == {"18.x-scala2.13"}:
        yield "Databricks Runtime 18 LTS is Spark 4.1, and the tests run another"


def alarm_line(tree: Tree) -> Iterator[str]:
    """The line of a failed task, and the filter that counts it."""
    for counted in tree.resources("watch", "AWS::Logs::MetricFilter"):
        if f'log.error("{counted["FilterPattern"]} %s"' not in tree.text("plugins/pinterest_pipeline/dag/alerts.py"):
            yield f"alerts.py writes no line {counted['FilterPattern']}"


def runbook(tree: Tree) -> Iterator[str]:
    """Each alarm names a heading of the runbook."""
    headings = re.findall(r"^#+ (.+)$", tree.text("docs/runbook.md"), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for alarm in tree.resources("watch", "AWS::CloudWatch::Alarm"):
        page, _, anchor = alarm["AlarmDescription"].partition("#")
        if page != "docs/runbook.md" or anchor not in anchors:
            yield f"{alarm['AlarmName']}: the runbook has no {anchor}"


def tasks_max(tree: Tree) -> Iterator[str]:
    """The number of tasks that the connector has, and the one below which an alarm rings."""
    configuration = tree.json("include/kafka/pinterest-s3-sink.json")["connectorConfiguration"]
    (alarm,) = (
        one for one in tree.resources("watch", "AWS::CloudWatch::Alarm") if one.get("MetricName") == "RunningTaskCount"
    )
    yield from unequal("tasks.max", float(configuration["tasks.max"]), float(alarm["Threshold"]))


def time_outs(tree: Tree) -> Iterator[str]:
    """The load balancer waits longer than API Gateway."""
    (balancer,) = tree.resources("rest", "AWS::ElasticLoadBalancingV2::LoadBalancer")
    (method,) = tree.resources("rest", "AWS::ApiGateway::Method")
    idle = {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}["idle_timeout.timeout_seconds"]
    if int(idle) * 1_000 <= method["Integration"]["TimeoutInMillis"]:
        yield "the load balancer gives up before API Gateway does"


Check = Callable[[Tree], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    *(topics, streams, variables, placeholders, folders, log_group, secrets, backend, bundle, gateway, rights),
    *(libraries, runtime, alarm_line, runbook, tasks_max, time_outs),
)
