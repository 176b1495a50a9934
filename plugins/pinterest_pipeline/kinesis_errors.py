"""What a refusal of Kinesis amounts to: one place that turns botocore's errors into ours, with the cure."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoRegionError, ParamValidationError
from botocore.exceptions import ConnectionError as UnconnectedError

from pinterest_pipeline.errors import PermanentError, TransientError, is_retryable_aws_code
from pinterest_pipeline.kinesis_plan import CREATE_STREAM

RACES = frozenset({"ResourceInUseException"})  # the stream is being changed: look again
TOO_LARGE = frozenset({"InvalidArgumentException", "ValidationException", "RequestEntityTooLargeException"})
CURES = {
    "ResourceNotFoundException": CREATE_STREAM,
    "AccessDeniedException": "give the role of the AWS connection this right (docs/connections/kinesis.md)",
    "UnrecognizedClientException": "correct the credentials of the AWS connection",
    "ExpiredTokenException": "renew the credentials of the AWS connection",
    "KMSAccessDeniedException": "let the role of the AWS connection use the stream's key",
}
DAILY_LIMITS = {
    "update_shard_count": "a stream's shard count is changed at most 10 times in any 24 hours, and only up to the "
    "account's quota of shards: wait, or ask AWS for a higher quota",
    "update_stream_mode": "a stream's mode is changed at most twice in any 24 hours: wait",
    "start_stream_encryption": "a stream's key is changed at most 25 times in any 24 hours: wait",
}


@contextmanager
def calling(doing: str, operation: str = "") -> Iterator[None]:
    """Translate botocore's errors into ours: can the same call succeed later, or not?

    :param operation: boto3's name of the call, where a limit of the service is one that waiting seconds does not help.
    """
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "LimitExceededException" and operation in DAILY_LIMITS:
            raise PermanentError(f"Kinesis, {doing}: refused: {message}: {DAILY_LIMITS[operation]}") from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if is_retryable_aws_code(code) or code in RACES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TransientError(f"Kinesis, {doing}: {code}: {message}") from error
        cure = CURES.get(code, "correct what it names")
        raise PermanentError(f"Kinesis, {doing}: refused with {code}: {message}: {cure}") from error
    except ParamValidationError as error:
        raise PermanentError(f"Kinesis, {doing}: {' '.join(str(error).split())}: correct the arguments") from error
    except (HTTPClientError, UnconnectedError) as error:
        raise TransientError(f"Kinesis, {doing}: no answer: {error}") from error
    except NoRegionError as error:
        raise PermanentError(
            f"Kinesis, {doing}: no region: set region_name in the extra of the AWS connection, or AWS_DEFAULT_REGION"
        ) from error
    except BotoCoreError as error:
        raise PermanentError(f"Kinesis, {doing}: {error}: check the AWS connection") from error


def is_too_large(error: PermanentError) -> bool:
    """Tell whether the service may have refused a request for its size; it has no code for just that."""
    return isinstance(error.__cause__, ClientError) and error.__cause__.response["Error"]["Code"] in TOO_LARGE
