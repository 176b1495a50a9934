"""Run API Gateway's data plane on loopback: ``python -m sandbox.servers.api_gateway``."""

import os

from sandbox.servers.api_gateway.gateway import INTEGRATION_SECONDS, create_app
from sandbox.servers.fault_proxy import serve


def main() -> None:
    seconds = float(os.environ.get("API_GATEWAY_INTEGRATION_SECONDS", INTEGRATION_SECONDS))
    key = os.environ.get("API_GATEWAY_INTEGRATION_KEY")
    app = create_app(os.environ["API_GATEWAY_AUTHORIZER"], os.environ["API_GATEWAY_INTEGRATION"], seconds, key)
    serve(app, int(os.environ["API_GATEWAY_PORT"]))


if __name__ == "__main__":
    main()
