"""The routes of the Kafka REST proxy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import orjson
from confluent_kafka.admin import PartitionMetadata
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.servers.kafka_rest import consumers, v3
from sandbox.servers.kafka_rest.broker import MAX_BLOCK_SECONDS, Broker
from sandbox.servers.kafka_rest.wire import (
    PARTITION_NOT_FOUND,
    V2,
    ApiError,
    answer_type,
    embedded_format,
    parse_request,
    produce_answer,
    produce_status,
)

BODY_SECONDS = 30  # Jetty's idle time-out, after which Confluent's proxy answers 408


def create_app(
    kafka_client: Mapping[str, str], max_request_bytes: int, max_block_seconds: float = MAX_BLOCK_SECONDS
) -> Starlette:
    """Build the proxy; it connects when it starts and needs no broker to start."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.broker = Broker(kafka_client, max_block_seconds)
        app.state.max_request_bytes = max_request_bytes
        async with consumers.consumers(app, kafka_client):
            yield
        await app.state.broker.close()

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", root),
            Route("/topics", list_topics),
            Route("/topics/{topic}", describe_topic),
            Route("/topics/{topic}", produce, methods=["POST"]),
            Route("/topics/{topic}/partitions", list_partitions),
            Route("/topics/{topic}/partitions/{partition}", describe_partition),
            Route("/topics/{topic}/partitions/{partition}", produce, methods=["POST"]),
            Route("/topics/{topic}/partitions/{partition}/offsets", describe_offsets),
            *consumers.routes,
            *v3.routes,
        ],
        exception_handlers={ApiError: refuse, HTTPException: refuse_http, Exception: refuse_unexpected},
    )


async def root(request: Request) -> Response:
    return answer(request, {})


async def list_topics(request: Request) -> Response:
    metadata = await broker(request).metadata()
    return answer(request, sorted(metadata.topics))


async def describe_topic(request: Request) -> Response:
    name = request.path_params["topic"]
    topic = await broker(request).topic(name)
    settings = await broker(request).topic_settings(name)
    partitions = [describe(partition) for _, partition in sorted(topic.partitions.items())]
    return answer(request, {"name": name, "configs": settings, "partitions": partitions})


async def list_partitions(request: Request) -> Response:
    topic = await broker(request).topic(request.path_params["topic"])
    return answer(request, [describe(partition) for _, partition in sorted(topic.partitions.items())])


async def describe_partition(request: Request) -> Response:
    topic = await broker(request).topic(request.path_params["topic"])
    number = partition_number(request)
    if number not in topic.partitions:
        raise ApiError(PARTITION_NOT_FOUND, "Partition not found.")
    return answer(request, describe(topic.partitions[number]))


async def describe_offsets(request: Request) -> Response:
    topic, number = request.path_params["topic"], partition_number(request)
    if number not in (await broker(request).topic(topic)).partitions:
        raise ApiError(PARTITION_NOT_FOUND, "Partition not found.")
    beginning, end = await broker(request).offsets(topic, number)
    return answer(request, {"beginning_offset": beginning, "end_offset": end})


async def produce(request: Request) -> Response:
    """Send the request's records; their own failures stand in the answer's ``offsets``.

    The status is 200, but for Kafka's refusal of our own user.
    """
    media_type = answer_type(request.headers.get("accept", ""))
    embedded = embedded_format(request.headers.get("content-type", ""))
    topic = request.path_params["topic"]
    number: int | None = None
    if "partition" in request.path_params:
        number = partition_number(request)
        if number not in (await broker(request).topic(topic)).partitions:
            raise ApiError(PARTITION_NOT_FOUND, "Partition not found.")
    records = parse_request(await read_body(request), embedded, number)
    outcomes = await broker(request).produce(topic, records)
    return Response(produce_answer(outcomes), produce_status(outcomes), media_type=media_type)


async def read_body(request: Request) -> bytes:
    """Read the whole body, even one that is refused for its size: answering early would break the client's pipe."""
    limit: int = request.app.state.max_request_bytes
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limit:
                    chunks.append(chunk)
    except TimeoutError:
        raise ApiError(408, f"HTTP 408 Request Timeout: no whole body within {BODY_SECONDS} s") from None
    except ClientDisconnect:
        raise ApiError(400, "The client hung up before its request was whole.") from None
    if size > limit:
        raise ApiError(413, f"HTTP 413 Request Entity Too Large: {size} bytes, at most {limit}")
    return b"".join(chunks)


def describe(partition: PartitionMetadata) -> dict[str, object]:
    in_sync = set(partition.isrs)
    return {
        "partition": partition.id,
        "leader": partition.leader,
        "replicas": [
            {"broker": replica, "leader": replica == partition.leader, "in_sync": replica in in_sync}
            for replica in partition.replicas
        ],
    }


def partition_number(request: Request) -> int:
    text: str = request.path_params["partition"]
    if not text.isdecimal():
        raise ApiError(404, "HTTP 404 Not Found")
    return int(text)


def broker(request: Request) -> Broker:
    found: Broker = request.app.state.broker
    return found


def answer(request: Request, content: object) -> Response:
    media_type = answer_type(request.headers.get("accept", ""))
    return Response(orjson.dumps(content), media_type=media_type)


def error_answer(status: int, code: int, message: str) -> Response:
    return Response(orjson.dumps({"error_code": code, "message": message}), status, media_type=V2)


async def refuse(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return error_answer(error.status, error.code, error.message)


async def refuse_http(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return error_answer(error.status_code, error.status_code, f"HTTP {error.status_code} {error.detail}")


async def refuse_unexpected(_request: Request, _error: Exception) -> Response:
    """Answer in the API's shape; the server's log has the traceback."""
    return error_answer(500, 500, "Internal Server Error")
