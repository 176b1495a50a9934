"""Start, watch and stop the sandbox's servers: supervisor does the supervising, this says what and in which order."""

import contextlib
import http.client
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
from supervisor.states import RUNNING_STATES, ProcessStates
from supervisor.xmlrpc import SupervisorTransport

from sandbox.run.java import java_home
from sandbox.run.server import Server
from sandbox.run.settings import PROJECT, SandboxError, Settings, write_private

MARK = "PINTEREST_SANDBOX_SERVER"  # in the environment of every process that belongs to a sandbox: its home
PASSED_ON = (
    "PATH", "HOME", "LANG", "TMPDIR", "USER", "LOGNAME", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
    "JDK_JAVA_OPTIONS", "PINTEREST_SPARK_SIZE",
)  # fmt: skip
LOG_TAIL_LINES = 25
STOP_SECONDS = 30
SUPERVISOR_SECONDS = 120  # for supervisord itself to start, on a loaded machine too
MOST_ENDS = 8  # of a server that `up` waits for

PROGRAM = """
[program:{name}]
command={command}
directory={directory}
autostart=false
autorestart=true
startsecs=1
startretries=100
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
stopasgroup={stop_as_group}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""
SUPERVISOR = """
[unix_http_server]
file={socket}
chmod=0600

[supervisord]
logfile={logs}/supervisord.log
pidfile={pids}/supervisord.pid
directory={directory}
silent=true
minfds=4096
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


class Supervision:
    """One supervisord for one sandbox, spoken to over its private Unix socket."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.socket = settings.runtime / "supervisor.sock"
        self.logs = settings.folder("logs")
        self.pids = settings.folder("pids")

    @property
    def rpc(self) -> xmlrpc.client.ServerProxy:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)

    def is_alive(self) -> bool:
        try:
            self.rpc.supervisor.getState()
        except (OSError, http.client.HTTPException):
            return False
        return True

    def ensure_alive(self, servers: Iterable[Server]) -> None:
        """Start supervisord unless it runs, or teach the running one the servers that are new to it."""
        file = self.settings.home / "supervisord.conf"
        if self.is_alive():
            write_private(file, self.configuration(servers))
            [[added, _, _]] = self.rpc.supervisor.reloadConfig()
            for name in added:
                self.rpc.supervisor.addProcessGroup(name)
            return
        self.end_orphans()
        self.settings.runtime.mkdir(mode=0o700, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        write_private(file, self.configuration(servers))
        subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(file)],
            check=True,
            cwd=PROJECT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            timeout=SUPERVISOR_SECONDS,
        )
        wait_until(self.is_alive, SUPERVISOR_SECONDS, "supervisord answers on its socket")

    def end_orphans(self) -> None:
        """End what a supervisord that was killed left behind."""
        if not self.is_alive():
            end_processes(self.settings.home)
            shutil.rmtree(self.pids, ignore_errors=True)
            self.pids.mkdir()

    def configuration(self, servers: Iterable[Server]) -> str:
        def escaped(value: object) -> str:
            return str(value).replace("%", "%%")

        text = SUPERVISOR.format(
            socket=escaped(self.socket),
            logs=escaped(self.logs),
            pids=escaped(self.pids),
            directory=escaped(PROJECT),
            user="user=root" if os.geteuid() == 0 else "",
        )
        for server in servers:
            command = [sys.executable, "-m", "sandbox.run.launch", str(self.spec_file(server))]
            text += PROGRAM.format(
                name=server.name,
                command=escaped(shlex.join(command)),
                directory=escaped(PROJECT),
                stop_signal=server.stop_signal,
                stop_seconds=STOP_SECONDS,
                log=escaped(self.log(server.name)),
                stop_as_group="false" if server.stop_signal == "INT" else "true",
            )
        return text

    def spec_file(self, server: Server) -> Path:
        return self.settings.folder("servers") / f"{server.name}.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def environment(self) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        own = {"JAVA_HOME": str(java_home()), MARK: str(self.settings.home), "PYTHONUNBUFFERED": "1"}
        return {"LANG": "C.UTF-8", **passed_on, **own}

    def is_running(self, name: str) -> bool:
        return self.state(name) != "stopped"

    def state(self, name: str) -> str:
        """Return ``running``, ``starting`` (for the first time, or again after its end), or ``stopped``."""
        try:
            state = self.rpc.supervisor.getProcessInfo(name)["state"]
        except (OSError, http.client.HTTPException, xmlrpc.client.Fault):
            return "stopped"
        return "running" if state == ProcessStates.RUNNING else "starting" if state in RUNNING_STATES else "stopped"

    def start(self, server: Server) -> bool:
        """Start the server unless it runs, and return once it is ready; True where it had to be started."""
        started = not self.is_running(server.name)
        if started:
            server.prepare()
            environment = server.environment() if callable(server.environment) else server.environment
            spec = {
                "command": list(server.command),
                "environment": {**self.environment(), **environment},
                "directory": str(server.directory or PROJECT),
                "user": server.user,
                "pid_file": str(self.pids / f"{server.name}.pid"),
            }
            write_private(self.spec_file(server), json.dumps(spec))
            self.rpc.supervisor.startProcess(server.name, False)
        self.wait_ready(server)
        server.provision()
        return started

    def wait_ready(self, server: Server) -> None:
        """Return once it is ready; stop one that ends again and again, which supervisord alone goes on starting."""
        began = time.monotonic()
        ends: set[int] = set()
        while (waited := time.monotonic() - began) < server.ready_within_seconds:
            process = self.rpc.supervisor.getProcessInfo(server.name)
            ends.add(process["stop"])  # when it ended last
            if process["state"] == ProcessStates.FATAL or len(ends) > MOST_ENDS:
                self.stop(server.name)
                break
            with contextlib.suppress(OSError):
                # Only a process that lives on speaks for itself: another program may hold the port.
                if server.is_ready() and process["state"] == ProcessStates.RUNNING:
                    return
            # Seldom where it takes long: Airflow's api-server answers for four while they start, 15 ms of CPU each time
            time.sleep(min(0.5, 0.1 + waited / 20))
        raise SandboxError(
            f"{server.name} was not ready after {waited:.0f} s."
            f" The end of {self.log(server.name)}:\n"
            + "\n".join(self.log(server.name).read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        )

    def stop(self, name: str) -> None:
        """Stop one server and leave the others (tests take the broker away this way)."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self.rpc.supervisor.stopProcess(name, True)
        (self.pids / f"{name}.pid").unlink(missing_ok=True)

    def stop_all(self) -> None:
        """Stop every server, supervisord itself, and whatever they left behind."""
        if self.is_alive():
            with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Fault):
                self.rpc.supervisor.stopAllProcesses(True)
            with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Fault):
                self.rpc.supervisor.shutdown()
            with contextlib.suppress(SandboxError):
                wait_until(lambda: not self.is_alive(), STOP_SECONDS, "supervisord ended")
        end_processes(self.settings.home)
        shutil.rmtree(self.settings.runtime, ignore_errors=True)
        shutil.rmtree(self.pids, ignore_errors=True)


def members(home: Path) -> set[psutil.Process]:
    """Return every process of the sandbox in ``home``.

    Found by the mark in its environment; or, since Airflow's processes write their title over their environment, by
    its pid file, or as a child of such a one.
    """
    found = {process for process in psutil.process_iter() if is_marked(process, home)}
    found |= {process for file in (home / "pids").glob("*.pid") if (process := owner_of(file))}
    for process in tuple(found):
        with contextlib.suppress(psutil.Error):
            found.update(process.children(recursive=True))
    return {process for process in found if process.pid != os.getpid() and not has_ended(process)}


def has_ended(process: psutil.Process) -> bool:
    """Say whether nothing is left but a process number: in a container process 1 may never fetch the exit code."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def is_marked(process: psutil.Process, home: Path) -> bool:
    try:
        return bool(process.environ().get(MARK) == str(home))
    except psutil.Error:
        return False


def owner_of(pid_file: Path) -> psutil.Process | None:
    """Return the process that wrote the file; None where it is gone, its number perhaps another's by now."""
    try:
        process = psutil.Process(int(pid_file.read_text()))
        wrote_it = process.create_time() <= pid_file.stat().st_mtime + 1
    except (OSError, ValueError, psutil.Error):
        return None
    return process if wrote_it else None


def end_processes(home: Path) -> None:
    """End what is left of a sandbox whose supervisord is gone: politely, then not."""
    left = members(home)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(left, timeout=10)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=10)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SandboxError(f"Waited {seconds:.0f} s in vain until {what}.")
        time.sleep(0.1)
