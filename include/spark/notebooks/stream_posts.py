# Databricks notebook source
# The stream, always on: records of Kinesis, validated and cleaned, to the warehouse's schema stream; ends on request.
# Widgets: stream_prefix, region, checkpoint_uri, secret_scope, secret_key (of the warehouse's URL); optional:
# endpoint_url, trigger_seconds, max_records_per_batch, initial_position, tables, lake_uri (see StreamSettings).
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd().parent))  # a notebook runs in its own folder; the package lies beside it

from pinterest_spark import notebook
from pinterest_spark.stream import queries as stream
from pinterest_spark.stream.settings import OPTIONAL, REQUIRED, StreamSettings

# COMMAND ----------

given = notebook.arguments(dbutils, *REQUIRED, optional=OPTIONAL)
settings = StreamSettings.read(given)
notebook.check_session(spark)

# COMMAND ----------

warehouse_url = dbutils.secrets.get(given["secret_scope"], given["secret_key"])
result = stream.run(spark, settings, warehouse_url)

# COMMAND ----------

dbutils.notebook.exit(notebook.to_json(result))
