# Databricks notebook source
# Bronze: new objects of the lake, every record once. Widgets: lake_uri, topic_prefix.
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd().parent))  # a notebook runs in its own folder; the package lies beside it

from pinterest_spark import notebook
from pinterest_spark.lakehouse import bronze
from pinterest_spark.lakehouse.tables import Lake

# COMMAND ----------

notebook.leave_unless_wanted(dbutils, "bronze")
given = notebook.arguments(dbutils, "lake_uri", "topic_prefix")
notebook.check_session(spark)

# COMMAND ----------

result = bronze.run(spark, Lake(given["lake_uri"]), given["topic_prefix"])

# COMMAND ----------

dbutils.notebook.exit(notebook.to_json(result))
