"""Translate botocore's errors into `TransientError` and `PermanentError`, with the remedy, for every AWS service."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoRegionError,
    ParamValidationError,
)
from botocore.exceptions import ConnectionError as UnconnectedError

from pinterest_pipeline.common.errors import PermanentError, PipelineError, TransientError, is_retryable_aws_code

REMEDIES = {
    "ExpiredTokenException": "renew the credentials of the AWS connection",
    "UnrecognizedClientException": "correct the credentials of the AWS connection",
}


@dataclass(frozen=True)
class AwsService:
    """How the errors of one service are classified and worded.

    :param name: The service's product name; every message begins with it.
    :param remedies: What to do, by error code.
    :param races: Codes that mean "another caller is changing this now": the same call may succeed later.
    :param arguments: What to correct where botocore refuses the arguments.
    """

    name: str
    remedies: Mapping[str, str] = field(default_factory=dict)
    races: frozenset[str] = frozenset()
    arguments: str = "the arguments"

    @contextmanager
    def calling(self, doing: str, limits: Mapping[str, str] | None = None) -> Iterator[None]:
        """Translate botocore's errors into ours: can the same call succeed later, or not?

        :param limits: What to do, by error code, about a limit that waiting seconds does not help.
        """
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise self.error(error, doing, limits or {}) from error

    def error(self, error: ClientError | BotoCoreError, doing: str, limits: Mapping[str, str]) -> PipelineError:
        what = f"{self.name}, {doing}"
        if isinstance(error, ClientError):
            return self._refusal(error.response, what, limits)
        if isinstance(error, ParamValidationError):
            return PermanentError(f"{what}: {' '.join(str(error).split())}: correct {self.arguments}")
        if isinstance(error, HTTPClientError | UnconnectedError | IncompleteReadError):
            return TransientError(f"{what}: no answer: {error}")
        if isinstance(error, NoRegionError):
            remedy = "set region_name in the extra of the AWS connection, or AWS_DEFAULT_REGION"
            return PermanentError(f"{what}: no region: {remedy}")
        return PermanentError(f"{what}: {error}: check the AWS connection")

    def _refusal(self, response: Mapping[str, Any], what: str, limits: Mapping[str, str]) -> PipelineError:
        code, message = response["Error"]["Code"], response["Error"].get("Message", "")
        if code in limits:
            return PermanentError(f"{what}: refused: {message}: {limits[code]}")
        if code in self.races or may_pass(response):
            return TransientError(f"{what}: {code}: {message}")
        remedy = self.remedies.get(code) or REMEDIES.get(code) or "correct what it names"
        return PermanentError(f"{what}: refused with {code}: {message}: {remedy}")


def may_pass(response: Mapping[str, Any]) -> bool:
    """Tell whether a service that answered so may answer otherwise a little later."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return is_retryable_aws_code(response["Error"]["Code"]) or status >= HTTPStatus.INTERNAL_SERVER_ERROR
