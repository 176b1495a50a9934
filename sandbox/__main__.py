"""``python -m sandbox``: the cloud on a laptop, up and down."""

import argparse
import fcntl
import shlex
import sys
import time
from collections.abc import Callable

from sandbox.data import emulate
from sandbox.data.source import command as seed
from sandbox.demo import demo, open_page, report
from sandbox.demo.progress import progress
from sandbox.run.disk import shortage
from sandbox.run.settings import BUCKET, SandboxError, Settings, default_home, existing_settings
from sandbox.run.supervision import Supervision
from sandbox.servers import airflow
from sandbox.servers.airflow import api as airflow_api
from sandbox.servers.airflow import connections
from sandbox.servers.ministack import api_gateway
from sandbox.servers.registry import GROUPS, every_server, ports_of, start_in_order, wanted


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up_parser = commands.add_parser("up", help="start what is not running, in order, and wait until it is ready")
    up_parser.add_argument("--only", default="", help="comma-separated names; what they need comes along")
    commands.add_parser("down", help="stop everything and leave no process and no port open; data stays")
    commands.add_parser("status", help="say what runs where")
    commands.add_parser("env", help="print export lines with which any foreign client connects")
    connections.add_arguments(
        commands.add_parser("connections", help="print the pipeline's connections and Variable, credentials and all")
    )
    seed.add_arguments(commands.add_parser("seed", help="load generated posts into the source database"))
    emulate.add_arguments(commands.add_parser("emulate", help="emulate users: put posts into the Kinesis streams"))
    demo_parser = commands.add_parser("demo", help="up, seed, run the whole pipeline, and print the report")
    seed.add_arguments(demo_parser)
    report_parser = commands.add_parser("report", help="print the report of the newest demo again")
    report_parser.add_argument("--verbose", action="store_true", help="print every number, in tables")
    commands.add_parser("open", help="open the pipeline's page in Airflow, signed in, in this machine's browser")
    airflow_parser = commands.add_parser("airflow", help="run Airflow's own command line in this sandbox")
    airflow_parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for example: dags list")
    options = parser.parse_args(arguments)
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "up": up,
        "down": down,
        "status": status,
        "env": env,
        "connections": lambda o: connections.run(o, existing_settings()),
        "seed": lambda o: seed.run(o, existing_settings()),
        "emulate": lambda o: emulate.run(o, existing_settings()),
        "demo": demonstrate,
        "report": print_report,
        "open": lambda _: open_page.run(existing_settings()),
        "airflow": lambda o: airflow.command_line(existing_settings(), o.arguments),
    }
    try:
        return actions[options.command](options)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1


def up(options: argparse.Namespace) -> int:
    home = default_home()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second `up` waits: two would choose ports and start servers twice
        return start_servers(options)


def start_servers(options: argparse.Namespace) -> int:
    if full := shortage(default_home()):
        raise SandboxError(full)
    settings = with_own_ports(Settings.load_or_create(default_home()))
    known = every_server(settings)
    chosen = wanted(known, [name for name in options.only.split(",") if name])
    supervision = Supervision(settings)
    supervision.ensure_alive(known.values())

    def start(server: object) -> None:
        began = time.monotonic()
        if supervision.start(server):  # type: ignore[arg-type]
            print(f"  {server.name:22} ready in {time.monotonic() - began:5.1f} s", flush=True)  # type: ignore[attr-defined]

    start_in_order(chosen, start)
    return 0


def with_own_ports(settings: Settings) -> Settings:
    """Give a stopped server another port where a program that is not ours has taken its own in the meantime.

    Not while Airflow runs: it got the addresses of the others when it started.
    """
    supervision = Supervision(settings)
    supervision.end_orphans()
    running = {name for name in every_server(settings) if supervision.is_running(name)}
    if not running.isdisjoint(GROUPS["airflow"]):
        return settings
    moved = settings.on_free_ports({port for name in running for port in ports_of(name)})
    for name, port in moved.ports.items():
        if port != settings.ports[name]:
            print(f"  port {settings.ports[name]} is taken: {name} moves to {port}", flush=True)
            moved.save()
    return moved


def demonstrate(options: argparse.Namespace) -> int:
    seconds: dict[str, float] = {}
    began = time.monotonic()
    with progress.step("start the servers"):
        up(argparse.Namespace(only=""))
    seconds["up"] = time.monotonic() - began
    settings = existing_settings()
    seeding = time.monotonic()
    with progress.step("load the posts into the source"):
        seed.run(options, settings)
    seconds["seed"] = time.monotonic() - seeding
    return demo.run(settings, seconds)


def print_report(options: argparse.Namespace) -> int:
    settings = existing_settings()
    show = report.show_tables if options.verbose else report.show
    show(settings, report.load(settings))
    return 0


def down(_: argparse.Namespace) -> int:
    settings = Settings.load(default_home())
    if settings is not None:
        Supervision(settings).stop_all()
    return 0


def status(_: argparse.Namespace) -> int:
    settings = existing_settings()
    supervision = Supervision(settings)
    known = every_server(settings)
    states = set()
    for name, server in known.items():
        states.add(state := supervision.state(name))
        port = settings.ports.get("airflow" if name == "airflow_api_server" else server.name)
        print(f"{name:22} {state:8} {f'127.0.0.1:{port}' if port else ''}")
    if full := shortage(settings.home):
        print(f"{full} S3 and Kinesis refuse to write until then.")
    return 0 if not full and states == {"running"} else 3


def env(_: argparse.Namespace) -> int:
    for name, value in client_environment(existing_settings()).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def client_environment(settings: Settings) -> dict[str, str]:
    """What a client that knows nothing of the sandbox needs in order to connect to all of it."""
    variables = {
        "PINTEREST_SOURCE_URL": settings.postgres_url("pinterest_source"),
        "PINTEREST_WAREHOUSE_URL": settings.postgres_url("pinterest_warehouse"),
        "AIRFLOW_API_URL": settings.url("airflow"),
        "AIRFLOW_USERNAME": airflow_api.USERNAME,
        "AIRFLOW_PASSWORD": settings.secrets["airflow_password"],
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "KAFKA_SECURITY_PROTOCOL": settings.kafka_client["security.protocol"],
        "KAFKA_SASL_MECHANISM": settings.kafka_client["sasl.mechanism"],
        "KAFKA_SASL_USERNAME": settings.kafka_client["sasl.username"],
        "KAFKA_SASL_PASSWORD": settings.kafka_client["sasl.password"],
        "KAFKA_REST_API_KEY": settings.secrets["kafka_rest_api_key"],
        "KAFKA_CONNECT_URL": settings.kafka_connect_url,
        "PINTEREST_BUCKET": BUCKET,
        "DATABRICKS_HOST": settings.url("databricks"),
        "DATABRICKS_TOKEN": settings.secrets["databricks_token"],
        "KAFKA_REST_URL": api_gateway.invoke_url(settings),
        **settings.aws_environment,
    }
    return dict(sorted(variables.items()))


if __name__ == "__main__":
    sys.exit(main())
