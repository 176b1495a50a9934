# What `astro dev start` and `astro deploy` build (docs/astro.md). This Runtime is Airflow 3.3.1, on Python 3.12 as on
# MWAA; its build steps install packages.txt and requirements.txt and copy what .dockerignore lets through.
FROM astrocrpublic.azurecr.io/runtime:3.3-7-python-3.12
