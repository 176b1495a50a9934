# Databricks notebook source
# Silver's rows of a window into the stream's tables, never over newer rows.
# Widgets: lake_uri, secret_scope, secret_key (of the warehouse's URL), since, until (ISO 8601, arrival at Kafka).
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd().parent))  # a notebook runs in its own folder; the package lies beside it

from pinterest_spark import notebook
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.stream import backfill

# COMMAND ----------

given = notebook.arguments(dbutils, "lake_uri", "secret_scope", "secret_key", "since", "until")
notebook.check_session(spark)

# COMMAND ----------

warehouse_url = dbutils.secrets.get(given["secret_scope"], given["secret_key"])
result = backfill.run(spark, Lake(given["lake_uri"]), warehouse_url, given["since"], given["until"])

# COMMAND ----------

dbutils.notebook.exit(notebook.to_json(result))
