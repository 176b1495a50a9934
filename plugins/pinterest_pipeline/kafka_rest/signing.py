"""Sign requests with AWS Signature Version 4, for an API Gateway whose methods have IAM authorization."""

from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from requests.auth import AuthBase

from pinterest_pipeline.common.aws_errors import AwsService
from pinterest_pipeline.common.aws_hook import BoundedAwsHook
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kafka_rest.connection import API_GATEWAY, Endpoint, Signing

CREDENTIALS = AwsService("AWS credentials")
SERVICE = "execute-api"  # what API Gateway's data plane is called in a signature
SIGNED_HEADERS = ("Content-Type", "x-api-key")  # and Host; a forward proxy may change others


class SigV4(AuthBase):
    """Signs each request, so each attempt, with credentials of this moment: those of a role expire."""

    def __init__(self, credentials: Any, signing: Signing, region_name: str) -> None:
        self._credentials = credentials
        self._signing = signing
        self._region_name = region_name

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        with CREDENTIALS.calling(f"of connection {self._signing.aws_conn_id}"):
            credentials = self._credentials.get_frozen_credentials()
        headers = {name: request.headers[name] for name in SIGNED_HEADERS if name in request.headers}
        signed = AWSRequest(method=request.method, url=request.url, data=request.body, headers=headers)
        SigV4Auth(credentials, SERVICE, self._region_name).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


def sign(endpoint: Endpoint, signing: Signing) -> SigV4:
    """Return the signer of an endpoint; reads the AWS connection, and may call STS for a role.

    :raises PermanentError: there are no credentials, or no region is to be found.
    """
    hook = BoundedAwsHook(aws_conn_id=signing.aws_conn_id, region_name=signing.region_name, client_type="apigateway")
    with CREDENTIALS.calling(f"of connection {signing.aws_conn_id}"):
        session = hook.get_session(region_name=signing.region_name)
        credentials = session.get_credentials()
    if credentials is None:
        raise PermanentError(
            f"Connection {endpoint.conn_id} has sigv4, but AWS connection {signing.aws_conn_id} has no credentials: "
            "add login and password, or give this machine a role"
        )
    of_host = API_GATEWAY.search(endpoint.base_url)
    region_name = signing.region_name or (of_host and of_host["region"]) or session.region_name
    if not region_name:
        raise PermanentError(f"Connection {endpoint.conn_id} has sigv4 without a region: add region_name to it")
    return SigV4(credentials, signing, region_name)
