"""The bridge between containers: bytes go both ways, through a socket in a folder, to a server on 127.0.0.1."""

import asyncio
import contextlib
import gc

import pytest

from sandbox.run import bridge

MEBIBYTE = b"0123456789abcdef" * 65536


@pytest.fixture
def run(tmp_path):
    """Run a scenario on a server that answers with what it was sent, doubled; its bridge has another port here."""

    def scenario(talk):
        async def all_of_it():
            server = await asyncio.start_server(double, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            reaching = asyncio.create_task(bridge.reach(tmp_path))
            shared = await bridge.share(tmp_path, [port])
            other = await asyncio.start_server(double, "127.0.0.1", 0)  # a free port: both sides are in one network
            free = other.sockets[0].getsockname()[1]
            other.close()
            await other.wait_closed()
            (tmp_path / f"{port}{bridge.SUFFIX}").rename(tmp_path / f"{free}{bridge.SUFFIX}")
            try:
                return await asyncio.wait_for(talk(free, server), 30)
            finally:
                reaching.cancel()
                for one in (*shared, server):
                    one.close()

        return asyncio.run(all_of_it())

    return scenario


async def double(reader, writer):
    text = await reader.read()
    gc.collect()  # a connection of which one side has said all must outlive this
    writer.write(text * 2)
    await writer.drain()
    writer.close()


async def ask(port, text):
    """Send all, say so, and return all of the answer; wait for the bridge to find the socket."""
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        await asyncio.sleep(0.05)
    writer.write(text)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def test_all_bytes_arrive_both_ways_though_one_side_has_said_all(run):
    assert run(lambda port, _: ask(port, MEBIBYTE)) == MEBIBYTE * 2


def test_many_talk_at_once(run):
    async def talk(port, _):
        collecting = asyncio.create_task(collect())
        answers = await asyncio.gather(*(ask(port, f"{number}-".encode()) for number in range(50)))
        collecting.cancel()
        return answers

    async def collect():
        """What is only held by itself is taken away at an unknown time: here immediately."""
        while True:
            gc.collect()
            await asyncio.sleep(0)

    assert run(talk) == [f"{number}-{number}-".encode() for number in range(50)]


def test_a_server_that_is_down_closes_the_connection_and_the_bridge_stays(run):
    async def talk(port, server):
        first = await ask(port, b"a")
        server.close()
        down = await ask(port, b"b")
        return first, down, await ask(port, b"c")

    assert run(talk) == (b"aa", b"", b"")


def test_what_an_earlier_container_left_is_replaced(tmp_path):
    (tmp_path / f"1{bridge.SUFFIX}").touch()
    (tmp_path / "other").touch()

    async def share():
        for server in await bridge.share(tmp_path, [2]):
            server.close()

    asyncio.run(share())

    assert {path.name for path in tmp_path.iterdir()} <= {f"2{bridge.SUFFIX}", "other"}
    assert (tmp_path / "other").exists()
