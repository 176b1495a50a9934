"""Run by every Python that Spark starts, since this folder is on their path alone: takes Spark's archives off it.

Spark puts pyspark's and py4j's zip and its own jar before what is installed. Modules are then compiled again by each
Python (1.6 s of CPU to import a streaming source's runner, 0.5 s without), and a worker reads the three directories
again before each task (0.22 s of CPU for a task that takes 0.02 s). All that they hold is installed.
"""

import sys

ARCHIVES = (".zip", ".jar")

sys.path[:] = [path for path in sys.path if not path.endswith(ARCHIVES)]
for archive in [path for path in sys.path_importer_cache if path.endswith(ARCHIVES)]:
    del sys.path_importer_cache[archive]
