"""Classify the errors of Kinesis as transient or permanent, with the remedy."""

from contextlib import AbstractContextManager

from botocore.exceptions import ClientError

from pinterest_pipeline.common.aws_errors import AwsService
from pinterest_pipeline.common.errors import PermanentError, is_retryable_aws_code
from pinterest_pipeline.kinesis.plan import CREATE_STREAM

KMS_REMEDIES = {
    "KMSAccessDeniedException": "let the role of the AWS connection use the stream's key (kms:GenerateDataKey)",
    "KMSDisabledException": "enable the stream's KMS key",
    "KMSInvalidStateException": "bring the stream's KMS key into a state that allows its use (is it pending deletion?)",
    "KMSNotFoundException": "give the stream a KMS key that exists, in its region",
    "KMSOptInRequired": "subscribe the account to AWS KMS",
}
KINESIS = AwsService(
    "Kinesis",
    remedies={
        "ResourceNotFoundException": CREATE_STREAM,
        "AccessDeniedException": "give the role of the AWS connection this right (docs/connections/kinesis.md)",
        **KMS_REMEDIES,
    },
    races=frozenset({"ResourceInUseException"}),  # the stream is being changed: check again
)
TOO_LARGE = frozenset({"InvalidArgumentException", "ValidationException", "RequestEntityTooLargeException"})
DAILY_LIMITS = {
    "update_shard_count": "a stream's shard count is changed at most 10 times in any 24 hours, and only up to the "
    "account's quota of shards: wait, or ask AWS for a higher quota",
    "update_stream_mode": "a stream's mode is changed at most twice in any 24 hours: wait",
    "start_stream_encryption": "a stream's key is changed at most 25 times in any 24 hours: wait",
}


def calling(doing: str, operation: str = "") -> AbstractContextManager[None]:
    """Translate botocore's errors into ours: can the same call succeed later, or not?

    :param operation: boto3's name of the call, where a limit of the service is one that waiting seconds does not help.
    """
    limit = DAILY_LIMITS.get(operation)
    return KINESIS.calling(doing, {"LimitExceededException": limit} if limit else None)


def is_throttled(code: str) -> bool:
    """Tell whether a record was refused because its shard, or the stream's key, takes no more just now."""
    return is_retryable_aws_code(code) and not code.startswith("Internal")


def permanent_remedy(code: str) -> str | None:
    """Return what to do where no record will be taken, however often it is sent; None for every other code."""
    return None if is_retryable_aws_code(code) else KINESIS.remedies.get(code)


def is_too_large(error: PermanentError) -> bool:
    """Tell whether the service may have refused a request for its size; it has no code for just that."""
    return isinstance(error.__cause__, ClientError) and error.__cause__.response["Error"]["Code"] in TOO_LARGE
