# Databricks notebook source
# Silver: new bronze rows cleaned and merged by key, rejects in quarantine, and the proof that no record was lost.
# Widgets: lake_uri, topic_prefix, acknowledged_uri (of JSON: see read_acknowledged).
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd().parent))  # a notebook runs in its own folder; the package lies beside it

from pinterest_spark import notebook
from pinterest_spark.lakehouse import silver
from pinterest_spark.lakehouse.offsets import read_acknowledged
from pinterest_spark.lakehouse.tables import Lake

# COMMAND ----------

notebook.leave_unless_wanted(dbutils, "silver")
given = notebook.arguments(dbutils, "lake_uri", "topic_prefix", optional=("acknowledged_uri",))
acknowledged = read_acknowledged(notebook.read_text(dbutils, given["acknowledged_uri"]))
notebook.check_session(spark)

# COMMAND ----------

result = silver.run(spark, Lake(given["lake_uri"]), given["topic_prefix"], acknowledged)

# COMMAND ----------

dbutils.notebook.exit(notebook.to_json(result))
