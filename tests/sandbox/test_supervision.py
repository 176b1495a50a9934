"""Ports that others take, servers that are new, processes without a parent: without starting a real stand-in."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from sandbox import __main__ as command
from sandbox.run.java import java_home
from sandbox.run.server import Server
from sandbox.run.settings import SandboxError, Settings, free_port
from sandbox.run.supervision import MARK, Supervision, members
from sandbox.servers.postgres import forget_reused_number
from tests.support.waiting import wait_until


@pytest.fixture
def settings(tmp_path):
    settings = Settings.load_or_create(tmp_path / "home")
    yield settings
    Supervision(settings).stop_all()


def sleeper(name):
    return Server(name=name, command=(sys.executable, "-c", "import time; time.sleep(600)"), is_ready=lambda: True)


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def on_port(settings, name, port):
    moved = Settings(settings.home, {**settings.ports, name: port}, settings.secrets)
    moved.save()
    return moved


def test_a_stopped_server_moves_from_a_port_that_another_program_took(settings, taken_port, capsys):
    moved = command.with_own_ports(on_port(settings, "kafka_rest", taken_port))

    assert moved.ports["kafka_rest"] != taken_port
    assert {k: v for k, v in moved.ports.items() if k != "kafka_rest"} == {
        k: v for k, v in settings.ports.items() if k != "kafka_rest"
    }
    assert Settings.load(settings.home).ports == moved.ports
    assert f"port {taken_port} is taken: kafka_rest moves to {moved.ports['kafka_rest']}" in capsys.readouterr().out


def test_a_port_that_was_requested_by_name_is_not_exchanged(settings, taken_port, monkeypatch):
    monkeypatch.setenv("PINTEREST_SANDBOX_PORT_KAFKA_REST", str(taken_port))

    with pytest.raises(SandboxError, match=f"Port {taken_port} for kafka_rest is taken"):
        command.with_own_ports(on_port(settings, "kafka_rest", taken_port))


def test_a_running_server_keeps_its_port(settings):
    supervision = Supervision(settings)
    supervision.ensure_alive([sleeper("kafka_rest")])
    supervision.start(sleeper("kafka_rest"))

    with socket.socket() as own:
        port = free_port()
        own.bind(("127.0.0.1", port))
        own.listen()
        moved = command.with_own_ports(on_port(settings, "kafka_rest", port))

    assert moved.ports["kafka_rest"] == port


def test_a_running_supervisor_learns_of_a_new_server(settings):
    supervision = Supervision(settings)
    supervision.ensure_alive([sleeper("old")])
    supervision.start(sleeper("old"))
    old = (supervision.pids / "old.pid").read_text()

    supervision.ensure_alive([sleeper("old"), sleeper("new")])

    assert supervision.start(sleeper("new"))
    assert supervision.is_running("new")
    assert (supervision.pids / "old.pid").read_text() == old


def test_every_server_gets_the_java_that_set_up_chose(settings, tmp_path, monkeypatch):
    chosen = tmp_path / "java"
    (chosen / "bin").mkdir(parents=True)
    (chosen / "bin" / "java").touch()
    monkeypatch.setattr("sandbox.run.java.LINK", chosen)
    monkeypatch.setattr("sandbox.run.supervision.java_home", java_home.__wrapped__)
    monkeypatch.setenv("JAVA_HOME", "/usr/lib/jvm/another")
    supervision = Supervision(settings)
    server = sleeper("one")
    supervision.ensure_alive([server])

    supervision.start(server)

    process = psutil.Process(int((supervision.pids / "one.pid").read_text()))
    assert process.environ()["JAVA_HOME"] == str(chosen)


def test_a_process_that_ended_and_was_not_fetched_is_no_member(settings):
    mark = {**os.environ, MARK: str(settings.home)}
    child = subprocess.Popen([sys.executable, "-c", "input()"], env=mark, stdin=subprocess.PIPE)
    pid_file = settings.folder("pids") / "child.pid"
    pid_file.write_text(str(child.pid))
    assert psutil.Process(child.pid) in members(settings.home)

    child.kill()
    wait_until(
        lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, 20, "the child has ended", pause=0.01
    )

    assert members(settings.home) == set()
    child.communicate()


def test_a_server_that_is_started_again_ends_what_the_one_before_it_left(settings):
    supervision = Supervision(settings)
    program = "import os, time\nos.fork()\ntime.sleep(600)"
    forking = Server(name="forking", command=(sys.executable, "-c", program), is_ready=lambda: True)
    supervision.ensure_alive([forking])
    supervision.start(forking)
    pid_file = supervision.pids / "forking.pid"
    server = psutil.Process(int(pid_file.read_text()))
    (worker,) = wait_until(server.children, 20, "it has forked", pause=0.01)

    server.send_signal(signal.SIGKILL)

    wait_until(lambda: int(pid_file.read_text()) != server.pid, 20, "it is started again", pause=0.05)
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 20, "the worker has ended")


def test_a_server_that_ends_again_and_again_is_given_up_by_up_before_its_time_is_over(settings, monkeypatch):
    monkeypatch.setattr("sandbox.run.supervision.MOST_ENDS", 2)
    supervision = Supervision(settings)
    program = "print('it cannot start'); raise SystemExit(1)"
    broken = Server(name="broken", command=(sys.executable, "-c", program), is_ready=lambda: False)
    supervision.ensure_alive([broken])

    with pytest.raises(SandboxError, match=r"broken was not ready after \d s\.(.|\n)*it cannot start"):
        supervision.start(broken)

    assert supervision.state("broken") == "stopped"


def test_a_lock_of_postgresql_whose_number_is_another_programs_is_deleted_and_no_other(tmp_path):
    lock = tmp_path / "postmaster.pid"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    kept = []
    for number in (os.getpid(), ended.pid, "", "x"):
        lock.write_text(f"{number}\n/data\n")
        forget_reused_number(lock)
        kept.append(lock.exists())

    assert kept == [False, True, True, True]


def test_a_nearly_full_disk_is_said_before_anything_is_started(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PINTEREST_SANDBOX_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 511 * 1024 * 1024}))

    assert command.main(["up"]) == 1
    assert "nearly full: 511 MiB are free, 512 MiB are needed" in capsys.readouterr().err
    Settings.load_or_create(tmp_path / "home")
    assert command.main(["status"]) == 3
    assert "511 MiB are free" in capsys.readouterr().out


def test_a_second_up_waits_for_the_first_and_both_find_one_server(tmp_path):
    environment = {**os.environ, "PINTEREST_SANDBOX_HOME": str(tmp_path / "home")}
    sandbox = [sys.executable, "-m", "sandbox"]
    try:
        starting = [
            subprocess.Popen(
                [*sandbox, "up", "--only", "postgres"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for _ in range(3)
        ]
        printed = [(process.communicate(timeout=120)[0].decode(), process.returncode) for process in starting]

        assert [code for _, code in printed] == [0, 0, 0], printed
        assert sorted("postgres" in text for text, _ in printed) == [False, False, True], printed
    finally:
        subprocess.run([*sandbox, "down"], env=environment, check=True, timeout=120)
