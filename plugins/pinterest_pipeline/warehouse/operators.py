"""Statements in the source or the warehouse, on the hook that checks its connection; migrations; publishing."""

from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, override

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import BaseOperator, Context

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.warehouse.answers import AnswerError, read_answers
from pinterest_pipeline.warehouse.audit import failed_checks
from pinterest_pipeline.warehouse.errors import failure_of
from pinterest_pipeline.warehouse.gates import ANSWER_ROWS, answer_rows, read_gates
from pinterest_pipeline.warehouse.migrations import MigrationError, migrate, read_migrations, transaction
from pinterest_pipeline.warehouse.publish import all_checks, publish

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.providers.postgres.hooks.postgres import PostgresHook


class PostgresQueryOperator(SQLExecuteQueryOperator):
    """Run statements, in one transaction unless ``autocommit``; arguments are those of ``SQLExecuteQueryOperator``.

    :raises TransientError: The connection does not exist.
    :raises PermanentError: The connection lacks a field.
    """

    def get_db_hook(self) -> "DbApiHook":
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        return PipelinePostgresHook(str(self.conn_id))


class PostgresMigrateOperator(BaseOperator):
    """Apply the migrations that a warehouse lacks, and return their names; ``[]`` where it is up to date.

    Each migration is one transaction, recorded in ``audit.migrations`` with its checksum and this DAG run. Tasks that
    start at once take turns by an advisory lock, and each migration is applied by one of them. A warehouse that is up
    to date costs one transaction of four short statements, and needs no right to create.

    :param conn_id: Connection of type ``postgres``. (templated)
    :param folder: Folder of the files ``NNNN_<what>.sql``.
    :raises TransientError: The connection does not exist or was lost, or a lock was not free for 30 s.
    :raises PermanentError: A file was changed after it was applied, is missing, has a wrong number, or fails. Each is
        named, and a file that failed has changed nothing.
    """

    template_fields: Sequence[str] = ("conn_id",)
    ui_color = "#ededed"

    def __init__(self, *, conn_id: str, folder: str | Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.folder = str(folder)

    @cached_property
    def hook(self) -> "PostgresHook":
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        return PipelinePostgresHook(self.conn_id)

    @override
    def execute(self, context: Context) -> list[str]:
        migrations = read_migrations(Path(self.folder))
        applied_by = f"{context['ti'].dag_id} {context['ti'].run_id}"
        with closing(self.hook.get_conn()) as connection:
            try:
                applied = migrate(connection, migrations, applied_by=applied_by)
            except MigrationError as error:
                failure = failure_of(error.__cause__) if isinstance(error.__cause__, Exception) else None
                raise (TransientError if failure and failure.is_transient else PermanentError)(str(error)) from error
        self.log.info("Warehouse at %s, applied now: %s", migrations[-1].name, ", ".join(applied) or "nothing")
        return applied


class PostgresPublishAnswersOperator(BaseOperator):
    """Make schema ``gold`` equal to the staged answers, audit it, and return the rows by name.

    All answers change in one transaction, under the lock that a load of ``gold_staging`` takes first: readers see the
    answers of one load. The checks that follow from the declarations, and those of ``checks``, run within it: where
    one finds a defect, or an answer has too few rows, readers keep the answers they have. A table whose declaration has
    changed is created again. Running it again changes no row.

    :param conn_id: Connection of type ``postgres``. (templated)
    :param folder: Folder of the answers' files, ``include/sql/answers``.
    :param checks: Folder of ``.sql`` files that return rows of schema ``gold`` where something is wrong; None = none.
    :param gates: ``{"answer_rows_share": {"warn", "fail"}}``: an answer's rows over those published last. (templated)
    :raises TransientError: The connection does not exist.
    :raises PermanentError: A file is malformed; nothing was staged yet; an answer was computed from another version of
        its file; a check found a defect, or a gate is closed. Each is named, and nothing was published.
    """

    template_fields: Sequence[str] = ("conn_id", "gates")
    ui_color = "#ededed"

    def __init__(
        self, *, conn_id: str, folder: str | Path, checks: str | Path | None = None, gates: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.folder = str(folder)
        self.checks = None if checks is None else str(checks)
        self.gates = gates

    @cached_property
    def hook(self) -> "PostgresHook":
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        return PipelinePostgresHook(self.conn_id)

    @override
    def execute(self, context: Context) -> dict[str, int]:
        try:
            answers = read_answers(Path(self.folder))
            checks = all_checks(Path(self.folder), Path(self.checks) if self.checks else None)
            limits = read_gates(self.gates)[ANSWER_ROWS]
            with closing(self.hook.get_conn()) as connection, transaction(connection) as cursor:
                published = publish(cursor, answers)
                warnings, problems = answer_rows(published.before, published.after, limits)
                problems += failed_checks(cursor, checks)
                require_no(problems)
        except (AnswerError, ValueError) as error:
            raise PermanentError(str(error)) from error
        for warning in warnings:
            self.log.warning("%s", warning)
        counts = published.after
        self.log.info("%d checks passed. Published %d answers, %d rows", len(checks), len(counts), sum(counts.values()))
        return counts


def require_no(problems: Sequence[str]) -> None:
    if problems:
        raise PermanentError(
            f"The staged answers have {len(problems)} defects: {'; '.join(problems)}. Nothing was published, readers "
            "keep the last answers. Find out whether data or code is wrong, then clear the stage that computes them; "
            "where an answer may shrink so far, lower the limit in `gates` of the Variable and clear this task."
        )
