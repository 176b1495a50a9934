"""MSK Connect (API ``kafkaconnect``), with the CloudWatch metrics without which its state says little.

Limits: 10 requests/s per operation; a connector takes minutes to create or update on the service. Pause, resume and
restart, and updates of plugin and worker configuration, are younger than the botocore of MWAA 3.3.1 (1.43.56):
``botocore_extras/`` adds them to its model of the service, as botocore 1.44.8 has them, by the mechanism that botocore
itself uses for additions of the SDK.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore
from botocore.exceptions import ClientError

from pinterest_pipeline.common.aws_errors import AwsService
from pinterest_pipeline.common.aws_hook import BoundedAwsHook
from pinterest_pipeline.common.errors import PermanentError, PipelineError
from pinterest_pipeline.msk_connect import client
from pinterest_pipeline.msk_connect.client import Connector, ConnectorChangedError, Operation, Response
from pinterest_pipeline.msk_connect.health import Snapshot, missing_connector

PACKAGE = Path(__file__).resolve().parent
MSK_CONNECT = AwsService(
    "MSK Connect",
    remedies={
        "AccessDeniedException": "give the role of the AWS connection this right (docs/connections/msk_connect.md)",
        "ForbiddenException": "give the role of the AWS connection this right (docs/connections/msk_connect.md)",
    },
    races=frozenset({"ConflictException"}),  # someone else changed the connector meanwhile: check again
    arguments="the connector file",
)
REFUSED_CHANGES = frozenset({"BadRequestException", "ConflictException", "NotFoundException"})
calling = MSK_CONNECT.calling


class MskConnectHook(BoundedAwsHook):
    """Find, change and watch connectors.

    Every method raises :class:`TransientError` when the same call may succeed later, :class:`PermanentError` when not.
    Constructor arguments are those of ``AwsBaseHook``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "kafkaconnect"
        super().__init__(*args, **kwargs)

    def get_session(self, *args: Any, **kwargs: Any) -> Any:
        """Return a session that also knows the operations of ``botocore_extras/``."""
        session = super().get_session(*args, **kwargs)
        core = getattr(session, "_session", session)
        core.get_component("data_loader").search_paths.append(str(PACKAGE / "botocore_extras"))
        return session

    def test_connection(self) -> tuple[bool, str]:
        """Ask MSK Connect for one connector; the provider's own test asks STS, which proves less."""
        try:
            with calling("testing the connection"):
                self.conn.list_connectors(maxResults=1)
        except PipelineError as error:
            return False, str(error)
        return True, f"MSK Connect in {self.conn.meta.region_name} answers"

    def find(self, name: str) -> Connector | None:
        """Return the connector of exactly this name, or None.

        :raises ConnectorChangedError: it was deleted meanwhile.
        """
        return client.find_connector(self._call, self.describe, name)

    def get(self, name: str) -> Connector:
        """Return the connector of exactly this name, or raise :class:`PermanentError`."""
        if (connector := self.find(name)) is None:
            raise missing_connector(name)
        return connector

    def describe(self, arn: str) -> Connector | None:
        """Return the connector of this ARN, or None once it is deleted; one request."""
        with calling("describe_connector"):
            try:
                response = self.conn.describe_connector(connectorArn=arn)
            except self.conn.exceptions.NotFoundException:
                return None
        return client.connector_from(response)

    def require_plugin(self, arn: str, revision: int) -> str:
        """Return what is known of a custom plugin; raise :class:`PermanentError` where a connector could not use it."""
        with calling(f"looking for plugin {arn}"):
            try:
                found = self.conn.describe_custom_plugin(customPluginArn=arn)
            except self.conn.exceptions.NotFoundException:
                found = None
        remedy = "register it (docs/deploy.md), or correct connector.plugin_arn and plugin_revision of the Variable"
        if found is None:
            raise PermanentError(f"Plugin {arn} does not exist: {remedy}.")
        state, newest = found["customPluginState"], found["latestRevision"]["revision"]
        if state != "ACTIVE" or not 1 <= revision <= newest:
            raise PermanentError(f"Plugin {arn} is {state} and has {newest} revisions, asked for {revision}: {remedy}.")
        return f"revision {revision} is {state}"

    def snapshot(self, name: str, topics: list[str], cluster_name: str | None) -> Snapshot | None:
        """Return what a health check needs (3 to 5 requests), or None where there is no such connector."""
        if (connector := self.find(name)) is None:
            return None
        return client.take_snapshot(self._call, connector, topics, cluster_name, datetime.now(UTC))

    def operation(self, arn: str) -> Operation | None:
        """Return how an operation stands, or None once its connector is deleted; one request."""
        with calling("describe_connector_operation"):
            try:
                response = self.conn.describe_connector_operation(connectorOperationArn=arn)
            except self.conn.exceptions.NotFoundException:
                return None
        return client.operation_from(response)

    def operations(self, connector: Connector, since: datetime) -> list[Operation]:
        """Return what was done to the connector since then: updates, restarts, pauses."""
        return client.list_operations(self._call, connector.arn, since)

    def typed_request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Give the values of a CreateConnector request, which are texts after filling, the types that the API wants."""
        shape = self.conn.meta.service_model.operation_model("CreateConnector").input_shape
        try:
            converted: dict[str, Any] = typed(request, shape)
        except ValueError as error:
            raise PermanentError(
                f"Connector {request.get('connectorName')}: a value in its file has the wrong type: {error}."
            ) from error
        return converted

    def create(self, request: Mapping[str, Any]) -> str:
        """Create a connector and return its ARN at once; it is CREATING for minutes.

        :raises ConnectorChangedError: there is one of this name: someone created it, or it is not quite deleted.
        """
        with calling(f"creating connector {request.get('connectorName')}"):
            try:
                arn: str = self.conn.create_connector(**request)["connectorArn"]
            except self.conn.exceptions.ConflictException as error:
                raise ConnectorChangedError(
                    f"Connector {request.get('connectorName')} was created meanwhile: {error}"
                ) from error
        self.log.info("Creating connector %s", arn)
        return arn

    def update(self, connector: Connector, **change: Any) -> str | None:
        """Update ``connectorConfiguration`` or the worker setting (``capacity``, ``plugins``, ``workerConfiguration``).

        The service refuses both in one request. Returns the operation's ARN, as all changes below do.
        """
        what = ", ".join(change)
        return self._change(
            connector, f"updating {what} of", "update_connector", currentVersion=connector.version, **change
        )

    def delete(self, connector: Connector) -> None:
        """Begin to delete; the offsets of a sink stay in its consumer group."""
        self._change(connector, "deleting", "delete_connector", currentVersion=connector.version)

    def restart(self, connector: Connector, *, only_failed_tasks: bool = True) -> str | None:
        """Begin to restart the failed tasks (Kafka Connect 3.7 and newer), or the connector and all its tasks."""
        return self._change(connector, "restarting", "restart_connector", onlyFailedTasks=only_failed_tasks)

    def pause(self, connector: Connector) -> str | None:
        """Begin to pause; configuration, capacity and committed offsets stay."""
        return self._change(connector, "pausing", "pause_connector")

    def resume(self, connector: Connector) -> str | None:
        """Begin to resume, from the offsets that were committed."""
        return self._change(connector, "resuming", "resume_connector")

    def _call(self, service: str, operation: str, **arguments: Any) -> Response:
        client = self.conn if service == "kafkaconnect" else self._cloudwatch.conn
        with calling(operation):
            response: Response = getattr(client, operation)(**arguments)
        return response

    def _change(self, connector: Connector, doing: str, operation: str, **arguments: Any) -> str | None:
        """Begin to change the connector as it was described, and return the operation's ARN, where there is one."""
        if not hasattr(self.conn, operation):
            raise PermanentError(
                f"Connector {connector.name}: botocore {botocore.__version__} has no {operation}: "
                "install botocore 1.44.8 or newer."
            )
        with self._unchanged_meanwhile(connector), calling(f"{doing} connector {connector.name}"):
            response: Response = getattr(self.conn, operation)(connectorArn=connector.arn, **arguments)
        arn: str | None = response.get("connectorOperationArn")
        self.log.info("MSK Connect began %s connector %s: %s", doing, connector.arn, arn or "no operation to follow")
        return arn

    @contextmanager
    def _unchanged_meanwhile(self, connector: Connector) -> Iterator[None]:
        """Tell a refusal for what we asked from one because the connector is no longer as it was described."""
        try:
            yield
        except PipelineError as error:
            cause = error.__cause__
            if not isinstance(cause, ClientError) or cause.response["Error"]["Code"] not in REFUSED_CHANGES:
                raise
            now = self.describe(connector.arn)
            if now is None or (now.version, now.state) != (connector.version, connector.state):
                found = f"{now.state}, version {now.version}" if now else "deleted"
                raise ConnectorChangedError(f"Connector {connector.name} is {found} meanwhile: {error}") from error
            raise


def typed(value: Any, shape: Any) -> Any:
    """Convert texts to what a botocore shape wants; what it does not know stays, for botocore to name."""
    kind = shape.type_name
    if isinstance(value, str) and kind in {"list", "structure", "map"}:
        value = json.loads(value)
    if kind == "structure" and isinstance(value, Mapping):
        members = shape.members
        return {name: typed(member, members[name]) if name in members else member for name, member in value.items()}
    if kind == "list" and isinstance(value, list):
        return [typed(member, shape.member) for member in value]
    if kind == "map" and isinstance(value, Mapping):
        return {name: typed(member, shape.value) for name, member in value.items()}
    if kind in {"integer", "long"} and isinstance(value, str):
        return int(value)
    if kind == "string" and not isinstance(value, str):
        return json.dumps(value)
    return value
