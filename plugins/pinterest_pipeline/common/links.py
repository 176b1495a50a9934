"""The links of a task's page to what the task works on: the Databricks run, the connector, the stream."""

import re
from typing import Any, override
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

PAGE_URL_KEY = "run_page_url"
CONSOLE_DOMAINS = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}  # by start of the region
CONSOLE_DOMAIN = "console.aws.amazon.com"


class DatabricksRunLink(BaseOperatorLink):
    """Opens the run, or the task of the run, in the Databricks workspace."""

    name = "Databricks run"

    @override
    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        from airflow.sdk.execution_time.xcom import XCom  # noqa: PLC0415 - at run time only

        return XCom.get_value(key=PAGE_URL_KEY, ti_key=ti_key) or ""


class MskConnectLink(BaseOperatorLink):
    """Opens the connectors of the region in the AWS console; the console knows a connector by its ARN, not its name."""

    name = "MSK Connect"

    @override
    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return console_url(region_of(operator), "msk/home", "/connectors")


class KinesisStreamLink(BaseOperatorLink):
    """Opens the stream's monitoring in the AWS console."""

    name = "Kinesis stream"

    @override
    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        stream = quote(re.sub("^arn:.*:stream/", "", str(operator.stream_name)), safe="")
        return console_url(region_of(operator), "kinesis/home", f"/streams/details/{stream}/monitoring")


LINKS = (DatabricksRunLink(), MskConnectLink(), KinesisStreamLink())


def region_of(operator: Any) -> str:
    """Return the region that the task called: its own, or else the one of its connection."""
    return str(operator.region_name or operator.hook.region_name or "")


def console_url(region: str, service: str, page: str) -> str:
    """Return a console's address, empty without a region: then Airflow greys the button out."""
    if not region:
        return ""
    domain = next((domain for start, domain in CONSOLE_DOMAINS.items() if region.startswith(start)), CONSOLE_DOMAIN)
    return f"https://{region}.{domain}/{service}?region={region}#{page}"
