"""What can go wrong, as Airflow must know it: can another try help, or not?"""

from http import HTTPStatus

from pinterest_pipeline.common.compat import AirflowException, AirflowFailException

RETRYABLE_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})  # and every 5xx
RETRYABLE_AWS_CODES = frozenset(
    {
        # throttling, by the names that the services of this pipeline use for it
        "BandwidthLimitExceeded",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        # the service's own trouble
        "InternalError",
        "InternalFailure",
        "InternalFailureException",
        "InternalServerError",
        "InternalServerErrorException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)


class PipelineError(AirflowException):
    """Base of every error that this package raises at run time."""


class TransientError(PipelineError):
    """Another try may help: Airflow retries the task."""


class PermanentError(PipelineError, AirflowFailException):
    """No try will help until a person changes something: Airflow fails the task at once."""


def is_retryable_status(status: int) -> bool:
    """Tell whether the same HTTP request may succeed later."""
    return status in RETRYABLE_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_retryable_aws_code(code: str) -> bool:
    """Tell whether the same AWS call may succeed later; ``code`` is ``error.response["Error"]["Code"]``."""
    return code in RETRYABLE_AWS_CODES
