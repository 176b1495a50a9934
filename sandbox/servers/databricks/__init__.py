"""A stand-in for Databricks: the Jobs API, clusters that are warm Spark drivers, and notebooks in source format.

Limits, on purpose: notebook tasks only, one user, no schedules but continuous jobs. Paths and life-cycle states are
those of Jobs API 2.0, 2.1 and 2.2. The drivers import this package too, so it needs the standard library only.
"""

from sandbox.servers.databricks.server import CLUSTER, STREAM_CLUSTER, server

__all__ = ["CLUSTER", "STREAM_CLUSTER", "server"]
