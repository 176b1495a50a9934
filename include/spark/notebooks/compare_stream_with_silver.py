# Databricks notebook source
# The stream's tables against silver's, column by column; changes nothing.
# Widgets: lake_uri, secret_scope, secret_key (of the warehouse's URL); optional: since (ISO 8601, arrival at Kinesis).
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd().parent))  # a notebook runs in its own folder; the package lies beside it

from pinterest_spark import notebook
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.stream import compare

# COMMAND ----------

given = notebook.arguments(dbutils, "lake_uri", "secret_scope", "secret_key", optional=("since",))
notebook.check_session(spark)

# COMMAND ----------

warehouse_url = dbutils.secrets.get(given["secret_scope"], given["secret_key"])
result = compare.run(spark, Lake(given["lake_uri"]), warehouse_url, given["since"])

# COMMAND ----------

dbutils.notebook.exit(notebook.to_json(result))
