"""What stands in for API Gateway's data plane, before the Kafka REST proxy; its control plane is ministack's."""

import sys

from sandbox.run.server import Server
from sandbox.run.settings import PROJECT, Settings
from sandbox.servers.ministack import answers


def server(settings: Settings) -> Server:
    return Server(
        name="api_gateway",
        command=(sys.executable, "-m", "sandbox.servers.api_gateway"),
        environment={
            "API_GATEWAY_PORT": str(settings.ports["api_gateway"]),
            "API_GATEWAY_AUTHORIZER": settings.url("ministack"),
            "API_GATEWAY_INTEGRATION": settings.url("kafka_rest"),
            "API_GATEWAY_INTEGRATION_KEY": settings.secrets["kafka_rest_proxy_key"],
        },
        directory=PROJECT,
        needs=("ministack",),
        is_ready=lambda: answers(settings.url("api_gateway")),
    )
