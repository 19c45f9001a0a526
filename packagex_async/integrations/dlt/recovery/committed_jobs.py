"""Finds the jobs of a pending load package whose rows are in the destination, and completes them."""

from __future__ import annotations

from typing import Any

from dlt.common import logger
from dlt.common.schema import Schema
from dlt.common.schema.typing import C_DLT_ID
from dlt.common.storages.load_package import PackageStorage, ParsedLoadJobFileName

from packagex_async.integrations.dlt.recovery.job_files import read_columns, read_export_rows

Key = tuple[str, str]
"""The names of the columns with the id of the export and the number of the row."""

_MAX_EXPORTS = 100
"""The maximum number of exports in a query. SQLite allows 999 parameters, and an export has three."""


def complete_committed_jobs(pipeline: Any, key: Key) -> bool:
    """Complete the jobs that the destination committed before the process was killed.

    dlt commits the rows of a file in the destination, and notes that in the load package afterwards. After a
    kill between the two it would load the file again, and `append` would duplicate its rows.

    Args:
        pipeline: A pipeline that does not load its pending packages at the moment.
        key: The columns that identify a row of an export.

    Returns:
        Whether there is a pending package with exports.
    """
    has_exports = False
    for load_id in pipeline.list_normalized_load_packages():
        packages: PackageStorage = pipeline._get_load_storage().normalized_packages
        schema = packages.load_schema(load_id)
        names = _normalized(schema, key)
        if not any(_has_exports(schema, table, names) for table in schema.data_table_names()):
            continue
        has_exports = True
        for path in packages.list_started_jobs(load_id):
            job = ParsedLoadJobFileName.parse(path)
            if _is_committed(pipeline, schema, packages.storage.make_full_path(path), job, names):
                logger.info(f"the rows of job {job.job_id()} are in the destination already")
                packages.complete_job(load_id, job.file_name())
    return has_exports


def _is_committed(pipeline: Any, schema: Schema, path: str, job: ParsedLoadJobFileName, names: Key) -> bool:
    """Return whether the destination contains each row of a file that must not be loaded again."""
    try:
        with pipeline.sql_client(schema.name) as client:
            if job.table_name == schema.state_table_name:
                return _contains_state(client, schema, path, job)
            is_appended = schema.tables[job.table_name].get("write_disposition") == "append"
            is_compared = is_appended and _has_exports(schema, job.table_name, names)
            return is_compared and _contains_exports(client, path, job, names)
    except Exception as error:
        # Without the answer, dlt does what it does without this package.
        logger.warning(
            f"job {job.job_id()}: exports_source cannot find out whether its rows are in the destination "
            f"already ({type(error).__name__}); dlt loads them, perhaps a second time"
        )
        return False


def _contains_state(client: Any, schema: Schema, path: str, job: ParsedLoadJobFileName) -> bool:
    """Return whether the destination contains the state of the package.

    PostgreSQL would refuse the same state, so the package could never be loaded.
    """
    name = schema.naming.normalize_identifier(C_DLT_ID)
    (ids,) = read_columns(path, job.file_format, [name]).columns
    table, column = client.make_qualified_table_name(job.table_name), client.escape_column_name(name)
    marks = ", ".join(["%s"] * len(ids))
    query = f"SELECT COUNT(*) FROM {table} WHERE {column} IN ({marks})"  # noqa: S608  # escaped
    ((count,),) = client.execute_sql(query, *ids.to_pylist())
    return bool(count >= len(ids))


def _contains_exports(client: Any, path: str, job: ParsedLoadJobFileName, names: Key) -> bool:
    """Return whether the destination contains the rows of all exports in a file."""
    rows = read_export_rows(path, job.file_format, names)
    table = client.make_qualified_table_name(job.table_name)
    export_id, row = map(client.escape_column_name, names)
    for start in range(0, len(rows), _MAX_EXPORTS):
        exports = rows[start : start + _MAX_EXPORTS]
        ranges = " OR ".join([f"({export_id} = %s AND {row} BETWEEN %s AND %s)"] * len(exports))
        distinct = f"SELECT DISTINCT {export_id}, {row} FROM {table} WHERE {ranges}"  # noqa: S608  # escaped
        values = [value for each in exports for value in (each.export_id, each.first, each.last)]
        query = f"SELECT COUNT(*) FROM ({distinct}) AS existing"  # noqa: S608
        ((count,),) = client.execute_sql(query, *values)
        if count < sum(each.total for each in exports):
            return False
    return bool(rows)


def _has_exports(schema: Schema, table: str, names: Key) -> bool:
    return set(names) <= set(schema.tables[table]["columns"])


def _normalized(schema: Schema, key: Key) -> Key:
    export_id, row = map(schema.naming.normalize_identifier, key)
    return export_id, row
