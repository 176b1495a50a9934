"""Which refusals of AWS another try may help, and what each message tells a person to do."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)

from pinterest_pipeline.common.aws_errors import AwsService
from pinterest_pipeline.common.errors import PermanentError, TransientError

SERVICE = AwsService("Thing", remedies={"Closed": "open it"}, races=frozenset({"Racing"}), arguments="the file")


def refusal(code, status):
    response = {"Error": {"Code": code, "Message": "said so"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "DoIt")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        pytest.param(refusal("Closed", 400), PermanentError, "refused with Closed: said so: open it", id="own remedy"),
        pytest.param(refusal("ExpiredTokenException", 403), PermanentError, "renew the credentials", id="any service"),
        pytest.param(refusal("New", 499), PermanentError, "refused with New.*correct what it names", id="unknown 4xx"),
        pytest.param(refusal("New", 500), TransientError, "New: said so", id="unknown 5xx"),
        pytest.param(refusal("ThrottlingException", 400), TransientError, "ThrottlingException", id="throttled"),
        pytest.param(refusal("Racing", 409), TransientError, "Racing", id="race"),
        pytest.param(refusal("Daily", 400), PermanentError, "refused: said so: wait a day", id="limit"),
        pytest.param(ReadTimeoutError(endpoint_url="x"), TransientError, "no answer", id="timeout"),
        pytest.param(EndpointConnectionError(endpoint_url="x"), TransientError, "no answer", id="unreachable"),
        pytest.param(IncompleteReadError(actual_bytes=1, expected_bytes=2), TransientError, "no answer", id="cut"),
        pytest.param(ParamValidationError(report="a\n b"), PermanentError, "a b: correct the file", id="arguments"),
        pytest.param(NoRegionError(), PermanentError, "no region: set region_name", id="region"),
        pytest.param(NoCredentialsError(), PermanentError, "check the AWS connection", id="credentials"),
    ],
)
def test_an_error_names_its_remedy_and_is_retried_only_where_that_may_help(error, kind, message):
    with (
        pytest.raises(kind, match=f"^Thing, doing it.*{message}") as caught,
        SERVICE.calling("doing it", {"Daily": "wait a day"}),
    ):
        raise error

    assert caught.value.__cause__ is error
