"""What the hooks of AWS services share: bounds for every call, and CloudWatch beside the service itself."""

from functools import cached_property
from typing import override

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

CLIENT = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})


class BoundedAwsHook(AwsBaseHook):
    """A hook whose calls end: 5 s to connect, 30 s to read, 5 attempts with jitter.

    What a botocore ``config`` of the caller or of the connection says is laid over that.
    """

    @property
    @override
    def config(self) -> Config:
        return CLIENT.merge(super().config)

    @cached_property
    def _cloudwatch(self) -> AwsBaseHook:
        return AwsBaseHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self._region_name,
            verify=self._verify,
            config=self.config,
            client_type="cloudwatch",
        )
