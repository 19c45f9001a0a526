"""The how-tos for Airflow, Prefect and Dagster, with the real packages."""
