"""The Spark half of the pipeline: bronze, silver and gold, the same on Databricks and on a laptop."""
