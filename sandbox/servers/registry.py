"""Which servers a sandbox has, and the order in which they can start."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from sandbox.run.server import Server
from sandbox.run.settings import SandboxError, Settings
from sandbox.servers import (
    airflow,
    api_gateway,
    databricks,
    kafka,
    kafka_connect,
    kafka_rest,
    kinesis,
    ministack,
    msk_connect,
    postgres,
)

MODULES = (postgres, ministack, api_gateway, kinesis, kafka, kafka_connect, kafka_rest, msk_connect, databricks)
GROUPS = {"airflow": ("airflow_api_server", "airflow_scheduler", "airflow_dag_processor", "airflow_triggerer")}
PORTS = {"kafka": ("kafka", "kafka_controller"), "airflow_api_server": ("airflow",)}  # the others' is named like them
PARALLEL_STARTS = 3  # more would slow each health check down on two cores


def every_server(settings: Settings) -> dict[str, Server]:
    """Return all servers by name."""
    servers = [module.server(settings) for module in MODULES]
    return {server.name: server for server in (*servers, *airflow.servers(settings))}


def ports_of(server: str) -> tuple[str, ...]:
    """Return the names in ``Settings.ports`` of what a server listens on."""
    return PORTS.get(server, (server,))


def wanted(known: dict[str, Server], names: Iterable[str]) -> list[Server]:
    """Return the named servers (all where none is named) and what they need, each after its needs."""
    ordered: dict[str, Server] = {}

    def add(name: str) -> None:
        if name in GROUPS:
            for member in GROUPS[name]:
                add(member)
        elif name not in known:
            raise SandboxError(f"There is no server {name!r}. Known: {', '.join([*known, *GROUPS])}.")
        elif name not in ordered:
            for need in known[name].needs:
                add(need)
            ordered[name] = known[name]

    for name in names or known:
        add(name)
    return list(ordered.values())


def start_in_order(servers: Sequence[Server], start: Callable[[Server], None]) -> None:
    """Call ``start`` for every server, at most ``PARALLEL_STARTS`` together and none before its needs are done."""
    done: dict[str, Future[None]] = {}

    def start_after_needs(server: Server) -> None:
        for need in server.needs:
            done[need].result()
        start(server)

    # In dependency order, so a worker only ever waits for one that was handed out before it: no deadlock.
    with ThreadPoolExecutor(PARALLEL_STARTS) as pool:
        for server in servers:
            done[server.name] = pool.submit(start_after_needs, server)
        for future in done.values():
            future.result()
