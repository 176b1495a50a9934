"""Clusters: one warm driver process for each cluster specification, started when first needed and reused."""

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sandbox.servers.databricks.config import PROJECT, Config
from sandbox.servers.databricks.driver_process import SILENCE_SECONDS, DriverProcess
from sandbox.servers.databricks.errors import invalid
from sandbox.servers.databricks.model import now_ms
from sandbox.servers.databricks.spark_session import submit_arguments

log = logging.getLogger(__name__)
NOT_INHERITED = frozenset({"DATABRICKS_TOKEN", "DATABRICKS_PORT"})  # a notebook needs neither
CHECK_INTERVAL_SECONDS = 5.0


@dataclass
class Cluster:
    """One specification, its state and its driver."""

    cluster_id: str
    spec: dict[str, Any]
    driver: DriverProcess | None = None
    start_time: int = field(default_factory=now_ms)
    last_used: float = field(default_factory=time.monotonic)
    message: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        return str(self.spec.get("cluster_name") or f"job-cluster-{self.cluster_id}")

    @property
    def state(self) -> str:
        if self.lock.locked():
            return "PENDING"
        return "RUNNING" if self.driver is not None and self.driver.is_alive else "TERMINATED"


def cluster_id_of(spec: Mapping[str, Any]) -> str:
    """Return an id that depends on the specification alone; ``2`` and ``"2"`` (a rendered template) are the same."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(name): plain(inner) for name, inner in value.items() if inner is not None}
        return [plain(inner) for inner in value] if isinstance(value, list) else str(value)

    digest = sha256(json.dumps(plain(spec), sort_keys=True).encode()).hexdigest()
    return f"{int(digest[:4], 16) % 10_000:04}-{int(digest[4:10], 16) % 1_000_000:06}-{digest[10:18]}"


class Clusters:
    """All clusters by id."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.by_id: dict[str, Cluster] = {}
        self.watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.watch = asyncio.create_task(self._watch())

    def find(self, spec: Mapping[str, Any]) -> Cluster:
        """Return the cluster of a specification, or the existing one that it names."""
        if wanted := spec.get("existing_cluster_id"):
            if wanted not in self.by_id:
                raise invalid(f"Cluster {wanted} does not exist")
            return self.by_id[wanted]
        cluster_id = cluster_id_of(spec)
        return self.by_id.setdefault(cluster_id, Cluster(cluster_id, dict(spec)))

    async def driver_of(self, cluster: Cluster) -> DriverProcess:
        """Return the cluster's driver, started if need be."""
        async with cluster.lock:
            cluster.last_used = time.monotonic()
            if cluster.driver is None or not cluster.driver.is_alive:
                folder = self.config.state_dir / "clusters" / cluster.cluster_id
                (folder / "tmp").mkdir(parents=True, exist_ok=True)
                cluster.start_time = now_ms()
                cluster.driver = await DriverProcess.start(
                    self.config.spark_python,
                    self.driver_environment(cluster),
                    folder / "driver.log",
                    self.config.cancel_seconds,
                )
                log.info("cluster %s: driver %s started", cluster.cluster_id, cluster.driver.process.pid)
            return cluster.driver

    async def warm(self, spec: Mapping[str, Any]) -> Cluster:
        """Start a cluster's driver and its SparkSession, so that the first run need not wait; returns at once."""
        cluster = self.find(spec)
        driver = await self.driver_of(cluster)
        driver.send("warm")
        return cluster

    def driver_environment(self, cluster: Cluster) -> dict[str, str]:
        folder = self.config.state_dir / "clusters" / cluster.cluster_id
        roots = [str(root) for root in self.config.workspace.roots.values()]
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        spark_conf = {str(name): str(value) for name, value in (cluster.spec.get("spark_conf") or {}).items()}
        return {
            **inherited,
            "DATABRICKS_CLUSTER_NAME": cluster.name,
            "DATABRICKS_WORKSPACE_ROOT": self.config.workspace.as_json(),
            "DATABRICKS_SECRETS_FILE": str(self.config.secrets_file),
            "PYTHONPATH": os.pathsep.join([str(PROJECT), *roots]),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYSPARK_PYTHON": str(self.config.spark_python),
            "PYSPARK_DRIVER_PYTHON": str(self.config.spark_python),
            "PYSPARK_SUBMIT_ARGS": submit_arguments(folder, spark_conf),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(folder / "tmp"),
            **{str(name): str(value) for name, value in (cluster.spec.get("spark_env_vars") or {}).items()},
        }

    async def terminate(self, cluster: Cluster, reason: str) -> None:
        cluster.message = reason
        if cluster.driver is not None:
            await cluster.driver.close(reason)

    async def close(self) -> None:
        if self.watch is not None:
            self.watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.watch
        for cluster in self.by_id.values():
            await self.terminate(cluster, "the Databricks API of the sandbox stops")

    async def _watch(self) -> None:
        """End drivers that no run used for a while, and those that stopped answering."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_SECONDS)
            now = time.monotonic()
            for cluster in list(self.by_id.values()):
                driver = cluster.driver
                if driver is None or not driver.is_alive or cluster.lock.locked():
                    continue
                if not driver.is_idle:
                    cluster.last_used = now
                if now - driver.last_seen > SILENCE_SECONDS:
                    await self.terminate(cluster, f"it was silent for {SILENCE_SECONDS:.0f} s")
                elif now - cluster.last_used > self.config.idle_seconds:
                    await self.terminate(cluster, f"it was idle for {self.config.idle_seconds:.0f} s")
