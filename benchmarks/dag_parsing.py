"""CPU seconds of parsing all DAG files over a bare ``import airflow.sdk``: what each pass of the DAG processor costs.

Every figure is the least of several fresh processes, user and system time. Goal: all files together <= 1.0 CPU-second
over the bare import. Run with the airflow environment's Python: ``python benchmarks/dag_parsing.py [processes]``.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FILES = sorted((PROJECT / "dags").glob("*.py"))
GOAL_SECONDS = 1.0
COST = "import os; t = os.times(); print(t.user + t.system)"


def main(processes: int = 3) -> int:
    with tempfile.TemporaryDirectory() as home:
        bare = least(home, [], processes)
        print(f"bare import airflow.sdk      {bare:5.2f} CPU-s")
        for file in FILES:
            print(f"{file.stem:28} {least(home, [file], processes) - bare:+5.2f} CPU-s")
        every = least(home, FILES, processes) - bare
    print(f"all {len(FILES)} DAG files              {every:+5.2f} CPU-s (goal {GOAL_SECONDS:.1f})")
    return int(every > GOAL_SECONDS)


def least(home: str, files: list[Path], processes: int) -> float:
    """Return the CPU seconds of the cheapest of several processes that run these files as the DAG processor would."""
    runs = "".join(f"runpy.run_path({str(file)!r})\n" for file in files)
    script = f"import runpy\nimport airflow.sdk\n{runs}{COST}"
    return min(cpu_seconds(home, script) for _ in range(processes))


def cpu_seconds(home: str, script: str) -> float:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(PROJECT / "plugins"),
    }
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
