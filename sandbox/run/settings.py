"""Where a sandbox lives, which ports it took and what its random credentials are.

One sandbox is one folder (``.sandbox`` beside the code unless ``PINTEREST_SANDBOX_HOME`` says otherwise). Its
``settings.json`` (mode 0600) is written by the first ``up`` and read by every later command.
"""

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PREFERRED_PORTS = {
    "postgres": 15432,
    "ministack": 14566,
    "kinesis": 14567,
    "api_gateway": 14568,
    "kafka": 19092,
    "kafka_controller": 19093,
    "kafka_connect": 18083,
    "kafka_rest": 18082,
    "msk_connect": 18084,
    "databricks": 18765,
    "airflow": 18080,
}
REGION = "us-east-1"
BUCKET = "pinterest-lake"
TOPIC_PREFIX = "pinterest"
DATABASE_PASSWORDS = {  # a role for each database, named as the database
    "pinterest_source": "pinterest_source_password",
    "pinterest_warehouse": "pinterest_warehouse_password",
    "airflow": "airflow_database_password",
}
KAFKA_USER = "pinterest"
CALL_SECONDS = 60  # after which a server on loopback does not answer: one at a load of 50 takes 20
SECRETS = (
    "aws_access_key_id",
    "aws_secret_access_key",
    "postgres_password",
    "pinterest_source_password",
    "pinterest_warehouse_password",
    "airflow_database_password",
    "kafka_password",
    "kafka_connect_password",
    "kafka_rest_api_key",
    "kafka_rest_proxy_key",
    "databricks_token",
    "airflow_password",
    "airflow_jwt_secret",
    "airflow_api_secret_key",
)


class SandboxError(Exception):
    """Something that the user can fix; the message says how."""


def default_home() -> Path:
    return Path(os.environ.get("PINTEREST_SANDBOX_HOME", PROJECT / ".sandbox")).resolve()


@dataclass(frozen=True)
class Settings:
    """Folder, ports and credentials of one sandbox."""

    home: Path
    ports: dict[str, int]
    secrets: dict[str, str]

    @classmethod
    def load(cls, home: Path) -> "Settings | None":
        """Return the settings of the sandbox in ``home``, or None where no sandbox was ever started."""
        file = home / "settings.json"
        if not file.exists():
            return None
        stored = json.loads(file.read_text())
        known = cls(home=home, ports=stored["ports"], secrets=stored["secrets"])
        settings = known.completed()
        if settings != known:
            settings.save()
        return settings

    @classmethod
    def load_or_create(cls, home: Path) -> "Settings":
        """Return the stored settings, or choose ports and credentials now and store them."""
        if (existing := cls.load(home)) is not None:
            return existing
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)  # an older version's, or one that the caller made
        settings = cls(home=home, ports={}, secrets={}).completed()
        settings.save()
        return settings

    def completed(self) -> "Settings":
        """Return these settings with a port and a credential for whatever has none yet, such as a newer server."""
        new_secrets = {name: secrets.token_hex(20) for name in SECRETS if name not in self.secrets}
        return replace(self, ports=choose_ports(self.ports), secrets={**self.secrets, **new_secrets})

    def on_free_ports(self, unchanged: Collection[str]) -> "Settings":
        """Return these settings with another port where a port is taken, save for the names in ``unchanged``."""
        free = {name: port for name, port in self.ports.items() if name in unchanged or is_free(port)}
        return replace(self, ports=choose_ports(free))

    def save(self) -> None:
        write_private(self.home / "settings.json", json.dumps({"ports": self.ports, "secrets": self.secrets}))

    def folder(self, *parts: str) -> Path:
        """Return a folder below the sandbox's home, made if need be."""
        path = self.home.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def url(self, server: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.ports[server]}"

    def postgres_url(self, database: str) -> str:
        """Return the URL of ``pinterest_source``, ``pinterest_warehouse`` or ``airflow``, each with its own role."""
        return self._postgres_url(database, self.secrets[DATABASE_PASSWORDS[database]], database)

    @property
    def postgres_admin_url(self) -> str:
        """The superuser's, which only makes the roles and their databases."""
        return self._postgres_url("pinterest", self.secrets["postgres_password"], "postgres")

    def _postgres_url(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.ports['postgres']}/{database}"

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.ports['kafka']}"

    @property
    def kafka_client(self) -> dict[str, str]:
        """What a librdkafka client needs to talk to the broker."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": KAFKA_USER,
            "sasl.password": self.secrets["kafka_password"],
        }

    @property
    def kafka_connect_url(self) -> str:
        """The worker's REST API, with the credential that it asks for."""
        return f"http://{KAFKA_USER}:{self.secrets['kafka_connect_password']}@127.0.0.1:{self.ports['kafka_connect']}"

    @property
    def aws_environment(self) -> dict[str, str]:
        """What any AWS client needs to talk to the sandbox instead of the cloud."""
        return {
            "AWS_ENDPOINT_URL": self.url("ministack"),
            "AWS_ENDPOINT_URL_KAFKACONNECT": self.url("msk_connect"),
            "AWS_ENDPOINT_URL_KINESIS": self.url("kinesis"),
            "AWS_ACCESS_KEY_ID": self.secrets["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.secrets["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def runtime(self) -> Path:
        """A short private folder for sockets: a Unix socket's path may not exceed about 100 bytes."""
        name = f"pinterest-{os.getuid()}-{sha256(str(self.home).encode()).hexdigest()[:12]}"
        return Path(tempfile.gettempdir()) / name


def existing_settings() -> Settings:
    settings = Settings.load(default_home())
    if settings is None:
        raise SandboxError(f"There is no sandbox in {default_home()}: start one with `python -m sandbox up`.")
    return settings


def choose_ports(stored: Mapping[str, int]) -> dict[str, int]:
    """Keep what is stored; else take each preferred port if free, else any free one. A requested one must be free.

    With ``PINTEREST_SANDBOX_PORTS=any`` none is preferred, so that two sandboxes may choose at the same moment.
    """
    chosen: dict[str, int] = dict(stored)
    prefers = os.environ.get("PINTEREST_SANDBOX_PORTS") != "any"
    for name, preferred in PREFERRED_PORTS.items():
        if name in chosen:
            continue
        variable = f"PINTEREST_SANDBOX_PORT_{name.upper()}"
        if wanted := os.environ.get(variable):
            if not is_free(int(wanted)):
                raise SandboxError(
                    f"Port {wanted} for {name} is taken: stop what uses it, or set {variable} to a free one."
                )
            chosen[name] = int(wanted)
        else:
            takes = prefers and is_free(preferred) and preferred not in chosen.values()
            chosen[name] = preferred if takes else free_port()
    return chosen


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, replacing it in one step."""
    draft = file.with_name(file.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    draft.replace(file)
