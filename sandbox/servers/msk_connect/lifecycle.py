"""What happens to a connector after the service has said yes: slow work in the background, and its history."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from sandbox.servers.msk_connect import translation, updates
from sandbox.servers.msk_connect.store import Resource, Store, new_arn, new_version, now
from sandbox.servers.msk_connect.translation import Progress
from sandbox.servers.msk_connect.worker import ConfigurationRefusedError, Worker, WorkerBusyError

log = logging.getLogger(__name__)

POLL_SECONDS = 0.3
LATEST_SECONDS = 300  # the service gives up after many minutes
STEPS = ("INITIALIZE_UPDATE", "UPDATE", "VALIDATE_UPDATE", "FINALIZE_UPDATE")


class Lifecycle:
    """Moves connectors between their states; one background task per change."""

    def __init__(self, store: Store, worker: Worker) -> None:
        self._store = store
        self._worker = worker
        self._running: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def recover(self) -> None:
        """Take up what an earlier process left half done, and give back to the worker what it has lost."""
        for connector in self._store.all("connector"):
            if connector["connectorState"] == "DELETING":
                self._start(self._delete(connector))
            elif connector["connectorState"] == "PAUSING":
                self.pause(connector)
            elif connector["connectorState"] in translation.TRANSITIONS:
                self._start(self._bring_up(connector))
            elif connector["connectorState"] == "RUNNING":
                self._start(self._restore(connector))

    def create(self, connector: Resource) -> None:
        self._start(self._bring_up(connector))

    def update(self, connector: Resource, kind: str, request: Mapping[str, Any]) -> Resource:
        operation = self._record(connector, kind)
        new = updates.updated(connector, request)
        operation |= updates.described(connector, kind, "origin")
        operation |= updates.described({**connector, **new}, kind, "target")
        connector["connectorState"] = "UPDATING"
        self._store.save()
        self._start(self._update(connector, new, operation))
        return operation

    def restart(self, connector: Resource, *, only_failed: bool) -> Resource:
        async def act() -> None:
            await self._worker.restart(connector["connectorName"], only_failed=only_failed)

        return self._change(connector, "RESTART", act, "RESTARTING", "RUNNING")

    def pause(self, connector: Resource) -> Resource:
        name = connector["connectorName"]
        return self._change(connector, "PAUSE", lambda: self._worker.pause(name), "PAUSING", "PAUSED")

    def resume(self, connector: Resource) -> Resource:
        name = connector["connectorName"]
        return self._change(connector, "RESUME", lambda: self._worker.resume(name), "RESUMING", "RUNNING")

    def delete(self, connector: Resource) -> None:
        connector["connectorState"] = "DELETING"
        self._store.save()
        self._start(self._delete(connector))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("A connector's change broke off", exc_info=error)

    def _change(
        self, connector: Resource, verb: str, act: Callable[[], Awaitable[None]], meanwhile: str, afterwards: str
    ) -> Resource:
        """Begin an operation that changes a state and nothing else; return its record."""
        operation = self._record(connector, f"{verb}_CONNECTOR", f"{verb}_IN_PROGRESS")
        connector["connectorState"] = meanwhile
        self._store.save()

        async def work() -> None:
            try:
                await self._insist(act)
                await self._until_up(connector["connectorName"])
            except (ConfigurationRefusedError, TimeoutError) as error:
                self._fail(connector, translation.UNKNOWN_ERROR, str(error), operation, f"{verb}_FAILED")
                return
            connector["connectorState"] = afterwards
            connector.pop("stateDescription", None)
            self._end(operation, f"{verb}_COMPLETE")

        self._start(work())
        return operation

    async def _bring_up(self, connector: Resource) -> None:
        try:
            await self._configure(connector, connector["connectorConfiguration"])
        except ConfigurationRefusedError as error:
            self._fail(connector, translation.INVALID_CONFIGURATION, str(error))
        except TimeoutError as error:
            self._fail(connector, translation.UNKNOWN_ERROR, str(error))
        else:
            connector["connectorState"] = "RUNNING"
            self._store.save()

    async def _restore(self, connector: Resource) -> None:
        name = connector["connectorName"]
        known = await self._insist(lambda: self._worker.has(name))
        if not known:
            await self._bring_up(connector)

    async def _update(self, connector: Resource, new: Mapping[str, Any], operation: Resource) -> None:
        operation["connectorOperationState"] = "UPDATE_IN_PROGRESS"
        try:
            if new["connectorConfiguration"] != connector["connectorConfiguration"]:
                await self._configure(connector, new["connectorConfiguration"])
        except (ConfigurationRefusedError, TimeoutError) as error:
            # The service keeps what ran before, which the worker does too when it refuses a configuration.
            operation["errorInfo"] = {"code": translation.INVALID_CONFIGURATION, "message": str(error)}
            connector["connectorState"] = "RUNNING"
            self._end(operation, "ROLLBACK_COMPLETE")
            return
        for name, value in new.items():
            if value is None:
                connector.pop(name, None)
            else:
                connector[name] = value
        connector |= {"connectorState": "RUNNING", "currentVersion": new_version()}
        connector.pop("stateDescription", None)
        self._end(operation, "UPDATE_COMPLETE")

    async def _delete(self, connector: Resource) -> None:
        await self._insist(lambda: self._worker.delete(connector["connectorName"]))
        self._store.remove("connector", connector["connectorArn"])

    async def _configure(self, connector: Resource, configuration: Mapping[str, str]) -> None:
        name = connector["connectorName"]
        translated = translation.worker_configuration(name, configuration)
        await self._insist(lambda: self._worker.put_configuration(name, translated))
        await self._until_up(name)

    async def _insist[T](self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it as soon as the worker can."""
        deadline = asyncio.get_running_loop().time() + LATEST_SECONDS
        while True:
            try:
                return await act()
            except WorkerBusyError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise TimeoutError(f"The worker stayed busy for {LATEST_SECONDS} s: {error}") from error
                await asyncio.sleep(POLL_SECONDS)

    async def _until_up(self, name: str) -> None:
        """Wait until every task has begun, well or badly."""
        deadline = asyncio.get_running_loop().time() + LATEST_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            status = await self._insist(lambda: self._worker.status(name))
            match translation.progress(status):
                case Progress.UP:
                    return
                case Progress.FAILED:
                    trace = status["connector"].get("trace", "") if status else ""
                    raise ConfigurationRefusedError(
                        trace.splitlines()[0] if trace else "The connector failed to start."
                    )
        raise TimeoutError(f"Connector {name} did not start within {LATEST_SECONDS} s.")

    def _record(self, connector: Resource, kind: str, state: str = "PENDING") -> Resource:
        name, connector_id = connector["connectorArn"].split("/")[1:]
        arn = new_arn("connector-operation", name, connector_id)
        operation = {
            "connectorArn": connector["connectorArn"],
            "connectorOperationArn": arn,
            "connectorOperationType": kind,
            "connectorOperationState": state,
            "creationTime": now(),
        }
        if kind.startswith("UPDATE"):
            steps = (kind if step == "UPDATE" else step for step in STEPS)
            operation["operationSteps"] = [{"stepType": step, "stepState": "PENDING"} for step in steps]
        return self._store.add("connector-operation", arn, operation)

    def _end(self, operation: Resource | None, state: str) -> None:
        if operation is not None:
            operation |= {"connectorOperationState": state, "endTime": now()}
            for step in operation.get("operationSteps", []):
                step["stepState"] = "COMPLETED" if state == "UPDATE_COMPLETE" else "CANCELLED"
        self._store.save()

    def _fail(
        self, connector: Resource, code: str, message: str, operation: Resource | None = None, state: str = ""
    ) -> None:
        log.warning("Connector %s FAILED: %s", connector["connectorName"], code)
        connector |= {"connectorState": "FAILED", "stateDescription": {"code": code, "message": message}}
        if operation is not None:
            operation["errorInfo"] = {"code": code, "message": message}
        self._end(operation, state)
