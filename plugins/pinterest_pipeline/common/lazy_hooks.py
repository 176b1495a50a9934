"""Hooks built on first use: boto3, requests and aiohttp cost 0.6 CPU-seconds that no DAG file needs to be parsed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from pinterest_pipeline.databricks.hook import DatabricksRunHook
    from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook
    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook
    from pinterest_pipeline.lake.hook import LakeHook
    from pinterest_pipeline.msk_connect.hook import MskConnectHook


def kafka_rest_hook(kafka_rest_conn_id: str) -> "KafkaRestHook":
    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - see above

    return KafkaRestHook(kafka_rest_conn_id)


def lake_hook(bucket: str, aws_conn_id: str | None) -> "LakeHook":
    from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - see above

    return LakeHook(bucket, aws_conn_id)


def postgres_hook(postgres_conn_id: str) -> "PostgresHook":
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - see above

    return PipelinePostgresHook(postgres_conn_id)


def msk_connect_hook(
    aws_conn_id: str | None,
    region_name: str | None,
    verify: bool | str | None,
    botocore_config: dict[str, Any] | None,
) -> "MskConnectHook":
    from pinterest_pipeline.msk_connect.hook import MskConnectHook  # noqa: PLC0415 - see above

    return MskConnectHook(aws_conn_id=aws_conn_id, region_name=region_name, verify=verify, config=botocore_config)


def kinesis_hook(
    aws_conn_id: str | None,
    region_name: str | None,
    verify: bool | str | None = None,
    botocore_config: dict[str, Any] | None = None,
) -> "KinesisStreamHook":
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - see above

    return KinesisStreamHook(aws_conn_id=aws_conn_id, region_name=region_name, verify=verify, config=botocore_config)


def databricks_hook(databricks_conn_id: str, caller: str) -> "DatabricksRunHook":
    from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - see above

    return DatabricksRunHook(databricks_conn_id, caller=caller)


def databricks_job_hook(databricks_conn_id: str, caller: str) -> "DatabricksJobHook":
    from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook  # noqa: PLC0415 - see above

    return DatabricksJobHook(databricks_conn_id, caller=caller)


def xcom_value(ti_key: Any, key: str) -> str:
    from airflow.sdk.execution_time.xcom import XCom  # noqa: PLC0415 - at run time only

    return XCom.get_value(key=key, ti_key=ti_key) or ""
