# Databricks notebook source
# Reprocess: records of a window, validated again by the rules of today, and the proof that no record was lost.
# Widgets: lake_uri, topic_prefix, window_start, window_end (Kafka timestamps, UTC, ISO 8601; empty = no bound), tables
# (with commas; empty = all, none = only count the lake), dry_run (true = write nothing).
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd().parent))  # a notebook runs in its own folder; the package lies beside it

from pinterest_spark import notebook
from pinterest_spark.lakehouse import reprocess
from pinterest_spark.lakehouse.tables import Lake

OPTIONAL = ("window_start", "window_end", "tables", "dry_run")

# COMMAND ----------

notebook.leave_unless_wanted(dbutils, "reprocess")
given = notebook.arguments(dbutils, "lake_uri", "topic_prefix", optional=OPTIONAL)
request = reprocess.Request.read(**{name: given[name] for name in OPTIONAL})
notebook.check_session(spark)

# COMMAND ----------

result = reprocess.run(spark, Lake(given["lake_uri"]), given["topic_prefix"], request)

# COMMAND ----------

dbutils.notebook.exit(notebook.to_json(result))
