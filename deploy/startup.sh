#!/bin/sh
# MWAA takes this script, plugins.zip and requirements.txt each by an object version of its own, and an install that
# fails only leaves imports broken in the UI. Said here, in the component's log, before it happens; never stops a start.
wanted="@AIRFLOW_VERSION@"
found=$(python3 -c 'from importlib.metadata import version; print(version("apache-airflow-core"))' 2>/dev/null)
if [ "$found" = "$wanted" ]; then
    echo "pinterest: this bundle is for Airflow $wanted, and so is this environment"
else
    echo "pinterest: this bundle is for Airflow $wanted, this environment has ${found:-none}:" \
        "run make mwaa AIRFLOW=${found:-its version} and deploy again"
fi
