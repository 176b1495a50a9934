"""The v2 wire format as pure functions: media types, the produce request, the answer, the error codes.

Source: Confluent's REST proxy API reference v2, and what its code sends where the two differ: a record's
``error_code`` is 50003 (retriable), 50002 (not) or 40403 (unknown partition), not the manual's 1 and 2.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

V2 = "application/vnd.kafka.v2+json"
ANSWER_TYPES = (V2, "application/vnd.kafka+json", "application/json")  # in order of preference
RECORD_FIELDS = frozenset({"key", "value", "partition"})
REQUEST_FIELDS = frozenset({"records", "key_schema", "key_schema_id", "value_schema", "value_schema_id"})
MAX_EXACT_DIGITS = 18  # integers up to here fit in 64 bits, whatever their sign
# The form of a number that orjson may read as a float; within a text, too, so it is only a hint. Looking at the
# text costs a tenth of looking at every value.
MAYBE_INEXACT = re.compile(rb"[:,\[]\s*-?[0-9]+(?:[.eE]|(?<=[0-9]{19}))")

TOPIC_NOT_FOUND = 40401
PARTITION_NOT_FOUND = 40402
RECORD_PARTITION_NOT_FOUND = 40403
KAFKA_AUTHENTICATION_ERROR = 40101
KAFKA_AUTHORIZATION_ERROR = 40301
KEY_SCHEMA_MISSING = 42201
VALUE_SCHEMA_MISSING = 42202
INVALID_SCHEMA = 42205
KAFKA_ERROR = 50002
RETRIABLE_KAFKA_ERROR = 50003
BROKER_NOT_AVAILABLE = 50302


class Embedded(StrEnum):
    """How keys and values are written inside the request."""

    BINARY = "binary"
    JSON = "json"
    AVRO = "avro"
    JSON_SCHEMA = "jsonschema"
    PROTOBUF = "protobuf"


WITH_SCHEMA = frozenset({Embedded.AVRO, Embedded.JSON_SCHEMA, Embedded.PROTOBUF})
# Without an embedded format binary is assumed, as the manual says.
REQUEST_TYPES = {f"application/vnd.kafka.{embedded}.v2+json": embedded for embedded in Embedded} | {V2: Embedded.BINARY}


class ApiError(Exception):
    """A refusal of the whole request; ``code`` is the HTTP status, or that with two more digits."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.status = code if code < 1000 else code // 100
        self.code = code
        self.message = message


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    partition: int | None


class Outcome(NamedTuple):
    """What became of one record; field names are the answer's."""

    partition: int | None
    offset: int | None
    error_code: int | None
    error: str | None


def embedded_format(content_type: str) -> Embedded:
    media_type = content_type.split(";", 1)[0].strip().lower()
    try:
        return REQUEST_TYPES[media_type]
    except KeyError:
        raise ApiError(415, "HTTP 415 Unsupported Media Type") from None


def answer_type(accept: str) -> str:
    """Choose the answer's media type from an Accept header; ties and wildcards go to the v2 type."""
    weights: dict[str, float] = {}
    for item in (accept or "*/*").split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        weights[media_type] = float(weight) if weight.replace(".", "", 1).isdigit() else 1.0

    def weight_of(offered: str) -> float:
        return next((weights[t] for t in (offered, "application/*", "*/*") if t in weights), 0.0)

    best = max(ANSWER_TYPES, key=weight_of)
    if weight_of(best) <= 0:
        raise ApiError(406, "HTTP 406 Not Acceptable")
    return best


def parse_request(body: bytes, embedded: Embedded, partition: int | None) -> list[Record]:
    """Read a produce request.

    :param partition: The partition of the URL, for records that name none themselves.
    :raises ApiError: 400 for broken JSON or Base64, 422 for JSON of the wrong shape, 4220x for missing schemas.
    """
    request = loads_exactly(body)
    if not isinstance(request, dict):
        raise ApiError(422, "The request must be a JSON object with the field records.")
    refuse_unknown_fields(request, REQUEST_FIELDS)
    records = request.get("records")
    if not isinstance(records, list) or not records:
        raise ApiError(422, "Empty records: records must be a list of at least one record.")
    for record in records:
        if not isinstance(record, dict):
            raise ApiError(422, f"A record must be a JSON object, not {type(record).__name__}.")
        if not record.keys() <= RECORD_FIELDS:
            refuse_unknown_fields(record, RECORD_FIELDS)
    if embedded in WITH_SCHEMA:
        raise schema_error(request, records)
    encode = encode_binary if embedded is Embedded.BINARY else encode_json
    return [
        Record(encode(record.get("key")), encode(record.get("value")), partition_of(record, partition))
        for record in records
    ]


def loads_exactly(body: bytes) -> Any:
    """Parse JSON so that dumping it again loses no digit of any number, at the price of a second parse if need be."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"Bad Request: the body is not JSON: {error}") from error
    if not (MAYBE_INEXACT.search(body) and has_float(parsed)):
        return parsed
    return json.loads(body, parse_float=orjson.Fragment, parse_int=exact_integer)


def exact_integer(digits: str) -> int | orjson.Fragment:
    return int(digits) if len(digits) <= MAX_EXACT_DIGITS else orjson.Fragment(digits)


def has_float(parsed: object) -> bool:
    """Whether a float is anywhere in it (orjson also reads an integer beyond 64 bits as one)."""
    pending = [parsed]
    while pending:
        node = pending.pop()
        if type(node) is dict:
            pending.extend(node.values())
        elif type(node) is list:
            pending.extend(node)
        elif type(node) is float:
            return True
    return False


def encode_json(value: object) -> bytes | None:
    return None if value is None else orjson.dumps(value)


def encode_binary(value: object) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ApiError(400, f"data={orjson.dumps(value).decode()[:80]} is not a base64 string.")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ApiError(400, f"data={value[:80]!r} is not a valid base64 string: {error}") from error


def partition_of(record: dict[str, Any], default: int | None) -> int | None:
    partition = record.get("partition")
    if partition is None:
        return default
    if type(partition) is not int or partition < 0:
        raise ApiError(422, f"partition must be a whole number from 0, not {str(partition)[:40]!r}.")
    return partition


def refuse_unknown_fields(given: dict[str, Any], known: frozenset[str]) -> None:
    for name in given:
        if name not in known:
            raise ApiError(422, f"Unrecognized field: {name[:80]}")


def schema_error(request: dict[str, Any], records: list[dict[str, Any]]) -> ApiError:
    """Say why a request in a format with schemas fails; with schemas it fails too, for want of a registry."""
    has = {side: f"{side}_schema" in request or f"{side}_schema_id" in request for side in ("key", "value")}
    if not has["key"] and any(record.get("key") is not None for record in records):
        return ApiError(KEY_SCHEMA_MISSING, "Request includes keys but does not include key schema")
    if not has["value"] and any(record.get("value") is not None for record in records):
        return ApiError(VALUE_SCHEMA_MISSING, "Request includes values but does not include value schema")
    return ApiError(INVALID_SCHEMA, "Invalid schema: this proxy has no Schema Registry; send JSON or binary.")


def produce_status(outcomes: Sequence[Outcome]) -> int:
    """Return the status of the answer to a produce request: the first record that tells of the proxy's user decides."""
    denials = {KAFKA_AUTHENTICATION_ERROR: 401, KAFKA_AUTHORIZATION_ERROR: 403}
    return next((denials[outcome.error_code] for outcome in outcomes if outcome.error_code in denials), 200)


def produce_answer(outcomes: Sequence[Outcome]) -> bytes:
    return orjson.dumps(
        {
            "offsets": [
                {"partition": partition, "offset": offset, "error_code": error_code, "error": error}
                for partition, offset, error_code, error in outcomes
            ],
            "key_schema_id": None,
            "value_schema_id": None,
        }
    )
