"""The sandbox's ports in another container, without listening on anything but 127.0.0.1 and Unix sockets.

Containers that share a volume share its sockets, not their networks. ``share`` starts the sandbox and gives each
server a socket that is named for its port; ``reach``, in the network of a container that needs the servers, takes the
same port there for each socket that it finds. So an address is the same on both sides, whatever passes it on.
"""

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from sandbox.run.settings import existing_settings

SERVERS = (
    "postgres", "ministack", "api_gateway", "kinesis", "kafka", "kafka_connect", "kafka_rest", "msk_connect",
    "databricks",
)  # fmt: skip
SUFFIX = ".port"
CHUNK_BYTES = 64 * 1024
POLL_SECONDS = 1.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# The loop holds no reference to a task whose client has said all while its server thinks: Python would collect it.
under_way: set["asyncio.Task[None] | None"] = set()


async def hand_on(client: Streams, connect: Callable[[], Awaitable[Streams]]) -> None:
    """Carry bytes both ways until both sides have said all; a server that is not there closes the client."""
    task = asyncio.current_task()
    under_way.add(task)
    try:
        server = await connect()
    except OSError:
        client[1].close()
        under_way.discard(task)
        return
    try:
        await asyncio.gather(pump(client[0], server[1]), pump(server[0], client[1]))
    except asyncio.CancelledError:
        pass  # the container ends, and asyncio would report each open connection as an error
    finally:
        under_way.discard(task)
        for _, writer in (client, server):
            writer.close()


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Carry bytes one way; the end of the source, or its break, ends what the target is sent."""
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(CHUNK_BYTES):
            target.write(chunk)
            await target.drain()
    with contextlib.suppress(OSError):
        if target.can_write_eof():
            target.write_eof()


def sockets(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


async def share(folder: Path, ports: list[int]) -> list[asyncio.Server]:
    """Make one socket a port, in place of those that an earlier container left."""
    for left in sockets(folder):
        left.unlink()

    async def serve(port: int) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await hand_on((reader, writer), lambda: asyncio.open_connection("127.0.0.1", port))

        return await asyncio.start_unix_server(connected, folder / f"{port}{SUFFIX}")

    return [await serve(port) for port in ports]


async def reach(folder: Path) -> None:
    """Listen on the port of each socket, also of those that come later; never ends. A taken port is tried again."""
    servers: dict[str, asyncio.Server] = {}
    logged: set[str] = set()
    while True:
        for socket in sockets(folder):
            if socket.name in servers:
                continue
            try:
                servers[socket.name] = await listen(socket)
            except OSError as error:
                news = f"cannot be taken: {error}"
            else:
                news = "leads to the sandbox"
            if f"{socket.stem} {news}" not in logged:
                logged.add(f"{socket.stem} {news}")
                print(f"bridge: 127.0.0.1:{socket.stem} {news}", flush=True)
        await asyncio.sleep(POLL_SECONDS)


async def listen(socket: Path) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hand_on((reader, writer), lambda: asyncio.open_unix_connection(socket))

    return await asyncio.start_server(connected, "127.0.0.1", int(socket.stem))


async def until_stopped(work: Callable[[], Awaitable[object]]) -> None:
    """Do the work, and wait for the end of the container."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    doing, waiting = asyncio.ensure_future(work()), asyncio.ensure_future(stop.wait())
    await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if doing.done():
        doing.result()  # its error, if any, ends the container
    await waiting


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.run.bridge", description=__doc__)
    parser.add_argument("side", choices=("share", "reach"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default=",".join(SERVERS), help="servers to start and share, comma-separated")
    options = parser.parse_args(arguments)
    if options.side == "reach":
        asyncio.run(until_stopped(lambda: reach(options.folder)))
        return 0
    # The command line, not its module: that one stands above this folder.
    sandbox = [sys.executable, "-m", "sandbox"]
    if code := subprocess.run([*sandbox, "up", "--only", options.only], check=False).returncode:
        return code
    try:
        ports = existing_settings().ports
        asyncio.run(until_stopped(lambda: share(options.folder, [ports[name] for name in options.only.split(",")])))
    finally:
        subprocess.run([*sandbox, "down"], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
