"""The part of REST API v2's consumers that reads given partitions from given offsets, in the binary format."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.servers.kafka_rest.wire import BROKER_NOT_AVAILABLE, V2, ApiError, loads_exactly

BINARY = "application/vnd.kafka.binary.v2+json"
CREATE_FIELDS = frozenset({"name", "format", "auto.offset.reset", "auto.commit.enable"})
INSTANCE_NOT_FOUND = 40403
FORMAT_MISMATCH = 40601
INSTANCE_EXISTS = 40902
IDLE_SECONDS = 300  # consumer.instance.timeout.ms: an instance that is not used ends
POLL_SECONDS = 0.1
MOST_RECORDS = 500  # max.poll.records of Java's consumer


class Instance:
    """One consumer; its verbs block."""

    def __init__(self, kafka_client: Mapping[str, str], group: str) -> None:
        # As Java's consumer does: records of aborted transactions too, of none the markers
        more = {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
        self.consumer = Consumer({**kafka_client, **more})
        self.used_at = time.monotonic()

    def assign(self, places: list[dict[str, Any]]) -> None:
        found = [TopicPartition(one["topic"], one["partition"], OFFSET_BEGINNING) for one in places]
        self.consumer.assign(found)

    def seek(self, places: list[dict[str, Any]]) -> None:
        wanted = {(one["topic"], one["partition"]): one["offset"] for one in places}
        # A seek is refused until the partition is being fetched; to assign it again is not
        self.consumer.assign(
            [
                TopicPartition(one.topic, one.partition, wanted.get((one.topic, one.partition), one.offset))
                for one in self.consumer.position(self.consumer.assignment())
            ]
        )

    def read(self, seconds: float, max_bytes: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        deadline, size = time.monotonic() + seconds, 0
        while len(found) < MOST_RECORDS and size < max_bytes and time.monotonic() < deadline:
            message = self.consumer.poll(POLL_SECONDS)
            if message is None and found:
                break
            if message is None or message.error():
                continue
            size += len(message.value() or b"") + len(message.key() or b"")
            found.append(
                {
                    "topic": message.topic(), "key": encoded(message.key()), "value": encoded(message.value()),
                    "partition": message.partition(), "offset": message.offset(),
                }
            )  # fmt: skip
        return found


class Instances:
    """The consumers of one proxy."""

    def __init__(self, kafka_client: Mapping[str, str]) -> None:
        self._client = kafka_client
        self._found: dict[tuple[str, str], Instance] = {}

    def create(self, group: str, name: str) -> None:
        self._end_idle()
        if (group, name) in self._found:
            raise ApiError(INSTANCE_EXISTS, "Consumer instance with the specified name already exists.")
        self._found[group, name] = Instance(self._client, group)

    def get(self, group: str, name: str) -> Instance:
        if (group, name) not in self._found:
            raise ApiError(INSTANCE_NOT_FOUND, "Consumer instance not found.")
        found = self._found[group, name]
        found.used_at = time.monotonic()
        return found

    def delete(self, group: str, name: str) -> None:
        self.get(group, name).consumer.close()
        del self._found[group, name]

    def _end_idle(self) -> None:
        for key, one in list(self._found.items()):
            if time.monotonic() - one.used_at > IDLE_SECONDS:
                self.delete(*key)

    def close(self) -> None:
        for key in list(self._found):
            self.delete(*key)


@contextlib.asynccontextmanager
async def consumers(app: Starlette, kafka_client: Mapping[str, str]) -> AsyncIterator[None]:
    app.state.consumers = Instances(kafka_client)
    yield
    await asyncio.to_thread(app.state.consumers.close)


def encoded(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


async def create(request: Request) -> Response:
    given = loads_exactly(await request.body())
    if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not given.keys() <= CREATE_FIELDS:
        raise ApiError(422, f"The sandbox takes {', '.join(sorted(CREATE_FIELDS))}, and needs a name.")
    if given.get("format", "binary") != "binary" or given.get("auto.commit.enable", "false") != "false":
        raise ApiError(422, "The sandbox reads the format binary, and commits nothing.")
    group = request.path_params["group"]
    await asyncio.to_thread(instances(request).create, group, given["name"])
    base = f"{request.base_url}consumers/{group}/instances/{given['name']}"
    return Response(orjson.dumps({"instance_id": given["name"], "base_uri": base}), media_type=V2)


async def assign(request: Request) -> Response:
    return await change(request, "partitions", "assign", "partition")


async def seek(request: Request) -> Response:
    return await change(request, "offsets", "seek", "partition", "offset")


async def change(request: Request, member: str, verb: str, *numbers: str) -> Response:
    given = loads_exactly(await request.body())
    places = given.get(member) if isinstance(given, dict) else None
    if not isinstance(places, list) or not all(is_place(one, numbers) for one in places):
        raise ApiError(422, f"{member} must be a list of objects with topic, {', '.join(numbers)}.")
    await run(getattr(instance(request), verb), places)
    return Response(status_code=204)


def is_place(given: object, numbers: tuple[str, ...]) -> bool:
    return (
        isinstance(given, dict)
        and isinstance(given.get("topic"), str)
        and all(type(given.get(name)) is int and given[name] >= 0 for name in numbers)
    )


async def records(request: Request) -> Response:
    if request.headers.get("accept", "") != BINARY:
        raise ApiError(FORMAT_MISMATCH, "Consumer format does not match the embedded format requested by Accept.")
    seconds = int(request.query_params.get("timeout", "1000")) / 1000
    max_bytes = int(request.query_params.get("max_bytes", "67108864"))
    return Response(orjson.dumps(await run(instance(request).read, seconds, max_bytes)), media_type=BINARY)


async def delete(request: Request) -> Response:
    await run(instances(request).delete, request.path_params["group"], request.path_params["instance"])
    return Response(status_code=204)


async def run(verb: Any, *arguments: Any) -> Any:
    try:
        return await asyncio.to_thread(verb, *arguments)
    except KafkaException as error:
        raise ApiError(BROKER_NOT_AVAILABLE, f"Kafka refused: {error.args[0].str()}") from error


def instances(request: Request) -> Instances:
    found: Instances = request.app.state.consumers
    return found


def instance(request: Request) -> Instance:
    return instances(request).get(request.path_params["group"], request.path_params["instance"])


INSTANCE = "/consumers/{group}/instances/{instance}"
routes = [
    Route("/consumers/{group}", create, methods=["POST"]),
    Route(INSTANCE, delete, methods=["DELETE"]),
    Route(f"{INSTANCE}/assignments", assign, methods=["POST"]),
    Route(f"{INSTANCE}/positions", seek, methods=["POST"]),
    Route(f"{INSTANCE}/records", records),
]
