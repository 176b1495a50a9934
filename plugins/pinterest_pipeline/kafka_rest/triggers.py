"""Wait, without a worker, until a Kafka REST proxy knows some topics."""

from typing import Any, override

from asgiref.sync import sync_to_async

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.common.poll import PollResult
from pinterest_pipeline.common.polling_trigger import PollingTrigger
from pinterest_pipeline.kafka_rest.endpoint import METADATA, Endpoint, check_topics, read_list, refusal

TIMEOUT_SECONDS = 27  # below the 29 s after which API Gateway gives up


class KafkaRestTopicTrigger(PollingTrigger):
    """Ready when all topics exist; one request per poll."""

    def __init__(self, *, topics: list[str], kafka_rest_conn_id: str, deadline: float, poll_seconds: float) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.topics = topics
        self.kafka_rest_conn_id = kafka_rest_conn_id

    @override
    def arguments(self) -> dict[str, Any]:
        return {"topics": self.topics, "kafka_rest_conn_id": self.kafka_rest_conn_id}

    @override
    async def check(self) -> PollResult:
        import aiohttp  # noqa: PLC0415 - 0.3 CPU-seconds that no DAG file needs to be parsed

        endpoint = await sync_to_async(self._endpoint)()
        url = f"{endpoint.base_url}/topics"
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        headers = {**endpoint.headers, "Accept": METADATA}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers, trust_env=True) as session,
                session.get(url, allow_redirects=False) as response,
            ):
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(f"GET {url}: {type(error).__name__}: {error}") from error
        if status != 200:
            raise refusal(f"GET {url}", status, body, conn_id=self.kafka_rest_conn_id)
        return check_topics(self.topics, read_list(body, f"GET {url}", self.kafka_rest_conn_id))

    def _endpoint(self) -> Endpoint:
        from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - requests slows DAG parsing

        return KafkaRestHook(self.kafka_rest_conn_id).endpoint
