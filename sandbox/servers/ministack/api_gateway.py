"""API Gateway in front of the Kafka REST proxy: a REST API with ``{proxy+}``, an API key and a usage plan.

ministack keeps the API and decides who may pass: path, key, usage plan. ``sandbox.servers.api_gateway`` asks it, and
carries the request to the proxy itself, because ministack (read in its source, 1.5.33) has no payload quota, answers
500 where the proxy is down, returns none of its headers (a Retry-After is lost) and opens a connection to it for every
request. So the integration is a mock here that answers 200.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.run.settings import Settings
from sandbox.servers.ministack import client

NAME = "pinterest-kafka-rest"
API_ID = "pinterest1"  # chosen by us, so that an API that is made again has its old address
STAGE = "v1"
RATE_LIMIT = 500  # requests a second: far above one DAG run's 4 in flight, low enough to be a limit
BURST_LIMIT = 1000


def invoke_url(settings: Settings) -> str:
    """Return the base URL of the Kafka REST proxy behind the gateway: the same in every sandbox but for its port."""
    return f"{settings.url('api_gateway')}/_aws/execute-api/{API_ID}/{STAGE}"


def provision(settings: Settings) -> None:
    """Create or correct the API, its stage, the key and the usage plan."""
    gateway = client(settings, "apigateway")
    apis = {api["id"] for api in pages(gateway, "get_rest_apis") if api["name"] == NAME}
    if older := apis - {API_ID}:  # whose ids were random, and whose plan lets nobody into another API
        for plan in [plan for plan in pages(gateway, "get_usage_plans") if plan["name"] == NAME]:
            gateway.delete_usage_plan(usagePlanId=plan["id"])
        for api_id in older:
            gateway.delete_rest_api(restApiId=api_id)
    if API_ID not in apis:
        gateway.create_rest_api(
            name=NAME,
            binaryMediaTypes=["*/*"],
            endpointConfiguration={"types": ["REGIONAL"]},
            tags={"ms-custom-id": API_ID},  # ministack's way to choose the id
        )
    route(gateway, API_ID)
    if STAGE not in {stage["stageName"] for stage in gateway.get_stages(restApiId=API_ID)["item"]}:
        gateway.create_deployment(restApiId=API_ID, stageName=STAGE)
    plan_id = ensure_plan(gateway, API_ID)
    key = named(pages(gateway, "get_api_keys"), NAME) or gateway.create_api_key(
        name=NAME, enabled=True, value=settings.secrets["kafka_rest_api_key"]
    )
    keys = gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"]
    if key["id"] not in {held["id"] for held in keys}:
        gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=key["id"], keyType="API_KEY")


def route(gateway: Any, api_id: str) -> None:
    """Let every method and path of a caller with an API key pass."""
    by_path = {resource["path"]: resource for resource in pages(gateway, "get_resources", restApiId=api_id)}
    greedy = by_path.get("/{proxy+}") or gateway.create_resource(
        restApiId=api_id, parentId=by_path["/"]["id"], pathPart="{proxy+}"
    )
    method = {"restApiId": api_id, "resourceId": greedy["id"], "httpMethod": "ANY"}
    if "ANY" not in greedy.get("resourceMethods", {}):
        gateway.put_method(
            **method,
            authorizationType="NONE",
            apiKeyRequired=True,
            requestParameters={"method.request.path.proxy": True},
        )
    gateway.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})


def ensure_plan(gateway: Any, api_id: str) -> str:
    plan = named(pages(gateway, "get_usage_plans"), NAME) or gateway.create_usage_plan(
        name=NAME,
        apiStages=[{"apiId": api_id, "stage": STAGE}],
        throttle={"rateLimit": RATE_LIMIT, "burstLimit": BURST_LIMIT},
    )
    plan_id: str = plan["id"]
    return plan_id


def pages(gateway: Any, verb: str, **arguments: str) -> Iterator[dict[str, Any]]:
    for page in gateway.get_paginator(verb).paginate(**arguments):
        yield from page["items"]


def named(items: Iterator[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((item for item in items if item["name"] == name), None)
