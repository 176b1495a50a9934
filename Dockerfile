# The pipeline as an image: Airflow with the DAGs, the plugins and the files they read. `astro dev start` wants its own
# Runtime instead: docker build --build-arg BASE_IMAGE=<an Astro Runtime tag for Airflow 3.3>.
ARG BASE_IMAGE=apache/airflow:3.3.1-python3.12
FROM ${BASE_IMAGE}
COPY constraints/constraints-3.3.1-python3.12.txt requirements.txt /tmp/
RUN pip install --no-cache-dir -c /tmp/constraints-3.3.1-python3.12.txt \
    $(grep -vE '^(#|pyspark|pytest|apache-airflow==)' /tmp/requirements.txt)
COPY dags ${AIRFLOW_HOME}/dags
COPY plugins ${AIRFLOW_HOME}/plugins
COPY include ${AIRFLOW_HOME}/include
