"""Signed HTTP requests to the stand-ins of AWS, for what no client of boto3 shows: the bytes of an answer."""

from collections.abc import Mapping
from typing import Any


def call(environment: Mapping[str, str], service: str, method: str, url: str, body: bytes = b"") -> Any:
    """Return httpx's answer to a request with the signature that ``sandbox env``'s keys make."""
    import httpx
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    request = AWSRequest(method, url, data=body)
    SigV4Auth(keys, service, environment["AWS_REGION"]).add_auth(request)
    return httpx.request(method, url, headers=dict(request.headers), content=body, timeout=30)
