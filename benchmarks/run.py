"""Run every benchmark and print what it measured: ratios of one run, since these machines are noisy.

A sandbox of the benchmarks' own serves those that need Kafka; it is taken down at the end.
"""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from sandbox.run.java import java_home  # noqa: E402 - the path is set above

HOME = PROJECT / ".sandbox-bench"
PATHS = {"airflow": "plugins", "spark": "include/spark", "sandbox": "."}
BENCHMARKS = (
    ("sandbox", "generator.py", ()),
    ("airflow", "dag_parsing.py", ()),
    ("airflow", "ingestion.py", ()),
    ("airflow", "ingestion_million.py", ()),
    ("airflow", "kinesis_packing.py", ()),
    ("spark", "batch.py", ("--scale", "100")),
    ("spark", "stream_sink.py", ()),
    ("spark", "stream_ceiling.py", ()),
    ("sandbox", "stream_latency.py", ()),
)


def main(chosen: list[str]) -> int:
    failed = []
    for environment, name, options in BENCHMARKS:
        if chosen and name not in chosen:
            continue
        print(f"\n=== {name}", flush=True)
        variables = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(PROJECT / PATHS[environment]), str(PROJECT))),
            "PINTEREST_SANDBOX_HOME": str(HOME),
            "JAVA_HOME": str(java_home()),
            "PINTEREST_SPARK_JARS": str(PROJECT / ".jars" / "spark"),
        }
        python = PROJECT / ".venv" / environment / "bin" / "python"
        command = [str(python), str(PROJECT / "benchmarks" / name), *options]
        if subprocess.run(command, cwd=PROJECT, env=variables, check=False).returncode:
            failed.append(name)
    down = [str(PROJECT / ".venv" / "sandbox" / "bin" / "python"), "-m", "sandbox", "down"]
    subprocess.run(down, cwd=PROJECT, env={**os.environ, "PINTEREST_SANDBOX_HOME": str(HOME)}, check=False)
    if failed:
        print(f"\nFailed, or missed a goal: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
