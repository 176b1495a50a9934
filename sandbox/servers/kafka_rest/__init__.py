"""Kafka REST proxy: what stands in for Confluent's REST proxy in front of MSK.

It follows the produce and metadata half of Confluent's REST API v2 (no consumers, no Schema Registry). As there, a
JSON key is *JSON*: the key ``"17"`` reaches Kafka with its quotation marks, the key ``17`` without.
"""

import json
import sys

from sandbox.run.access.keys import HEADER
from sandbox.run.server import Server, http_get
from sandbox.run.settings import PROJECT, Settings
from sandbox.servers.ministack import api_gateway

MAX_REQUEST_BYTES = 10 * 1024 * 1024  # API Gateway's payload quota, so that what passes here passes there


def server(settings: Settings) -> Server:
    return Server(
        name="kafka_rest",
        command=(sys.executable, "-m", "sandbox.servers.kafka_rest"),
        environment={
            "KAFKA_REST_PORT": str(settings.ports["kafka_rest"]),
            "KAFKA_REST_KAFKA_CLIENT": json.dumps(settings.kafka_client),
            "KAFKA_REST_GATEWAY_KEY": settings.secrets["kafka_rest_proxy_key"],
            "KAFKA_REST_MAX_REQUEST_BYTES": str(MAX_REQUEST_BYTES),
        },
        directory=PROJECT,
        needs=("kafka", "api_gateway"),
        is_ready=lambda: answers(settings),
        provision=lambda: api_gateway.provision(settings),
    )


def answers(settings: Settings) -> bool:
    """Whether the proxy is up and reaches the broker."""
    key = {HEADER: settings.secrets["kafka_rest_proxy_key"]}
    return http_get(f"{settings.url('kafka_rest')}/topics", key)[0] == 200
