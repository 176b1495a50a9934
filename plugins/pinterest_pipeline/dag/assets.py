"""What the DAGs make, as Airflow assets: outlets for lineage and for DAGs of others that start when it is new.

An asset's URI is an identity that nothing opens. It names no bucket and no host because those differ from deployment to
deployment, and its scheme starts with ``x-`` because Airflow would otherwise search every installed provider for the
scheme while it parses the DAG file (0.5 CPU-seconds, measured on 3.3.1).
"""

from airflow.sdk import Asset

from pinterest_pipeline.common.tables import TABLES


def lake_assets(layer: str, tables: tuple[str, ...]) -> list[Asset]:
    """Return the Delta tables of one layer, for example ``pinterest_lake_silver_pin``."""
    return [
        Asset(name=f"pinterest_lake_{layer}_{table}", uri=f"x-pinterest://lake/delta/{layer}/{table}")
        for table in tables
    ]


LAKE = {
    "bronze": lake_assets("bronze", TABLES),
    "silver": [
        *lake_assets("silver", TABLES),
        Asset(name="pinterest_lake_quarantine", uri="x-pinterest://lake/delta/quarantine"),
    ],
    "gold": [Asset(name="pinterest_lake_gold", uri="x-pinterest://lake/delta/gold")],
}
REPROCESSED = {"reprocess": LAKE["silver"], "gold": LAKE["gold"]}
REDRIVEN: dict[str, list[Asset]] = {"bronze": LAKE["bronze"], "silver": [], **REPROCESSED}
WAREHOUSE_GOLD = Asset(name="pinterest_warehouse_gold", uri="x-pinterest://warehouse/gold")
CONNECTOR = Asset(name="pinterest_s3_sink", uri="x-pinterest://msk-connect/pinterest-s3-sink")
STREAMS = Asset(name="pinterest_streams", uri="x-pinterest://kinesis/streams")
