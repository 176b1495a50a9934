"""Serve the Databricks stand-in: ``python -m sandbox.servers.databricks``, configured by ``DATABRICKS_*`` variables."""

import logging

import uvicorn

from sandbox.run.access.pages import RefusePages
from sandbox.servers.databricks.app import create_app
from sandbox.servers.databricks.config import Config

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = Config.from_environment()
    uvicorn.run(
        RefusePages(create_app(config)),
        host="127.0.0.1",
        port=config.port,
        log_level="info",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
