"""The three sizes of an environment (``sizes.json``), and what AWS would refuse of them, of a name and of a region."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.errors import InfraError

FILE = Path(__file__).with_name("sizes.json")
Size = dict[str, Any]
NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
MAX_NAME_CHARACTERS = 20  # S3 allows 63 for a bucket, and "-deployment-<account>-<region>" follows the name
WHOLE_NUMBERS = {  # setting: smallest, largest that the service takes
    "zones": (2, 3),  # of the network; also the replication factor of the topics
    "brokers": (2, 30),  # MSK service quota of provisioned brokers per cluster
    "broker_storage_gb": (1, 16_384),  # MSK service quota per broker
    "proxy_tasks_min": (2, 1_000),  # one that is replaced leaves another
    "proxy_tasks_max": (2, 1_000),
    "database_storage_gb": (20, 65_536),  # RDS, gp3
    "mwaa_workers_max": (1, 25),  # MWAA service quota
    "batch_workers": (1, 1_000),
    "stream_workers": (1, 1_000),
}
FARGATE_MEMORY_MB = {  # the memory that Fargate sells with so much CPU
    512: range(1_024, 4_097, 1_024),
    1_024: range(2_048, 8_193, 1_024),
    2_048: range(4_096, 16_385, 1_024),
    4_096: range(8_192, 30_721, 1_024),
}
TYPES = {
    "broker_type": re.compile(r"kafka\.(m5|m7g|t3)\.\w+"),
    "database_class": re.compile(r"db\.\w+\.\w+"),
    "mwaa_class": re.compile(r"mw1\.(micro|small|medium|large|xlarge|2xlarge)"),
    "batch_node_type": re.compile(r"\w+\.\w+"),
    "stream_node_type": re.compile(r"\w+\.\w+"),
}
SETTINGS = {*WHOLE_NUMBERS, *TYPES, "proxy_cpu", "proxy_memory_mb"}
SERVICES = ("kafka", "kafkaconnect", "mwaa", "kinesis", "ecs", "rds")  # as botocore names their endpoints


def read_sizes(file: Path = FILE) -> dict[str, Size]:
    """Return the settings by name of the size.

    :raises InfraError: naming every setting that a service would refuse, and what it takes.
    """
    sizes: dict[str, Size] = json.loads(file.read_text(encoding="utf-8"))
    if problems := [f"{name}.{problem}" for name, size in sizes.items() for problem in problems_of(size)]:
        raise InfraError(f"{file.name}: {'; '.join(problems)}: correct it.")
    return sizes


def size_named(name: str) -> Size:
    sizes = read_sizes()
    if name not in sizes:
        raise InfraError(f"There is no size {name!r}, only {', '.join(sizes)}: choose one of those (ENV=…).")
    return sizes[name]


def problems_of(size: Mapping[str, Any]) -> Iterator[str]:
    for setting in sorted(SETTINGS ^ size.keys()):
        yield f"{setting} is {'missing' if setting in SETTINGS else 'no setting of a size'}"
    if size.keys() != SETTINGS:
        return
    for setting, (least, most) in WHOLE_NUMBERS.items():
        if type(size[setting]) is not int or not least <= size[setting] <= most:
            yield f"{setting} is {size[setting]!r}, expected a whole number of {least} to {most}"
    for setting, pattern in TYPES.items():
        if not pattern.fullmatch(str(size[setting])):
            yield f"{setting} is {size[setting]!r}, expected one like {pattern.pattern}"
    if size["proxy_memory_mb"] not in FARGATE_MEMORY_MB.get(size["proxy_cpu"], ()):
        pair = f"proxy_memory_mb {size['proxy_memory_mb']} and proxy_cpu {size['proxy_cpu']}"
        yield f"{pair} are no pair that Fargate has"
    if size["zones"] in {2, 3} and size["brokers"] % size["zones"]:
        yield f"brokers is {size['brokers']}, expected a multiple of zones ({size['zones']})"
    if size["proxy_tasks_min"] > size["proxy_tasks_max"]:
        yield f"proxy_tasks_min is {size['proxy_tasks_min']}, expected at most proxy_tasks_max"


def require_name(name: str) -> str:
    """Return the name of an environment where every service takes it, as a part of its own names."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME_CHARACTERS:
        rule = f"1 to {MAX_NAME_CHARACTERS} of a-z, 0-9 and -, a letter first and no - last"
        raise InfraError(f"Name {name!r} ({len(name)} characters): expected {rule}.")
    return name


def require_region(region: str) -> str:
    """Return the region where it has every service of the pipeline, by botocore's table of endpoints."""
    import botocore.session  # noqa: PLC0415 - the templates do not need it

    session = botocore.session.Session()
    if lacking := [service for service in SERVICES if region not in session.get_available_regions(service)]:
        raise InfraError(f"Region {region!r} has no endpoint of {', '.join(lacking)}: choose another.")
    return region
