"""MSK Connect: the service's control plane (API ``kafkaconnect``) over the sandbox's one Kafka Connect worker."""

import json
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.run.server import Server, http_get
from sandbox.run.settings import BUCKET, PROJECT, Settings, is_free
from sandbox.servers.ministack import client

PLUGIN_NAME = "pinterest-s3-sink"
CLUSTER_NAME = "pinterest-sandbox"  # a dimension of the metrics of lag


def server(settings: Settings) -> Server:
    return Server(
        name="msk_connect",
        command=(sys.executable, "-m", "sandbox.servers.msk_connect"),
        environment={
            **settings.aws_environment,
            "MSK_CONNECT_PORT": str(settings.ports["msk_connect"]),
            "MSK_CONNECT_WORKER_URL": settings.kafka_connect_url,
            "MSK_CONNECT_KAFKA_CLIENT": json.dumps(settings.kafka_client),
            "MSK_CONNECT_STATE_DIR": str(state_folder(settings)),
        },
        directory=PROJECT,
        needs=("kafka_connect", "ministack"),
        is_ready=lambda: http_get(f"{settings.url('msk_connect')}/v1/connectors")[0] == 403,  # it is not signed
        provision=lambda: register_plugin(settings),
    )


def state_folder(settings: Settings) -> Path:
    return settings.folder("msk_connect")


def register_plugin(settings: Settings) -> None:
    """Register the sink plugin once. Its archive is not in S3: the worker has the classes on its own path."""
    if plugin_arn(settings) is None:
        client(settings, "kafkaconnect").create_custom_plugin(
            name=PLUGIN_NAME,
            contentType="ZIP",
            location={"s3Location": {"bucketArn": f"arn:aws:s3:::{BUCKET}", "fileKey": f"plugins/{PLUGIN_NAME}.zip"}},
        )


def plugin_arn(settings: Settings) -> str | None:
    """Return the ARN of the registered sink plugin, or None where the service is down or has none."""
    if is_free(settings.ports["msk_connect"]):
        return None  # nothing listens there, which boto3 would find out only after many seconds of retries
    connect = client(settings, "kafkaconnect")
    try:
        plugins = connect.list_custom_plugins(namePrefix=PLUGIN_NAME)["customPlugins"]
    except (BotoCoreError, ClientError):
        return None
    return next((plugin["customPluginArn"] for plugin in plugins if plugin["name"] == PLUGIN_NAME), None)
