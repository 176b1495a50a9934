# Databricks notebook source
# Gold: the answers of include/sql/answers, to the lake and to the warehouse's schema gold_staging.
# Widgets: lake_uri, secret_scope, secret_key (of the warehouse's URL).
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd().parent))  # a notebook runs in its own folder; the package lies beside it

from pinterest_spark import notebook
from pinterest_spark.lakehouse import gold
from pinterest_spark.lakehouse.tables import Lake

# COMMAND ----------

notebook.leave_unless_wanted(dbutils, "gold")
given = notebook.arguments(dbutils, "lake_uri", "secret_scope", "secret_key")
notebook.check_session(spark)

# COMMAND ----------

warehouse_url = dbutils.secrets.get(given["secret_scope"], given["secret_key"])
result = gold.run(spark, Lake(given["lake_uri"]), warehouse_url)

# COMMAND ----------

dbutils.notebook.exit(notebook.to_json(result))
