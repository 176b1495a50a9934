"""Which migrations are pending, and what is refused before anything is applied."""

import pytest

from pinterest_pipeline.warehouse.migrations import Migration, MigrationError, plan, read_migrations

FIRST, SECOND, THIRD = (Migration(f"000{n}_{what}.sql", f"SELECT {n}") for n, what in enumerate("abc", start=1))
ALL = [FIRST, SECOND, THIRD]


def history(*migrations):
    return {migration.name: migration.checksum for migration in migrations}


@pytest.mark.parametrize(
    ("applied", "pending"),
    [
        pytest.param([], ALL, id="a fresh warehouse"),
        pytest.param([FIRST], [SECOND, THIRD], id="an older one"),
        pytest.param([FIRST, SECOND], [THIRD], id="all but one"),
        pytest.param(ALL, [], id="up to date"),
    ],
)
def test_what_was_not_applied_is_pending_in_order(applied, pending):
    assert plan(history(*applied), ALL) == pending


@pytest.mark.parametrize(
    ("applied", "migrations", "said"),
    [
        pytest.param([], [FIRST, THIRD], r"0003_c\.sql follows a gap: 0002 is missing", id="gap"),
        pytest.param([], [SECOND], r"0002_b\.sql follows a gap: 0001 is missing", id="no first"),
        pytest.param([], [FIRST, Migration("0001_b.sql", "")], "0001_b.sql has the number of the file", id="twice"),
        pytest.param([], [FIRST, Migration("2_b.sql", "")], "2_b.sql is not named NNNN_<what>", id="digits"),
        pytest.param([], [Migration("0001_Add-it.sql", "")], r"0001_Add-it\.sql is not named", id="letters"),
        pytest.param(
            [FIRST], [Migration("0001_a.sql", "SELECT 1 "), SECOND],
            r"0001_a\.sql was changed after it was applied: restore it", id="changed",
        ),
        pytest.param([FIRST, SECOND], [FIRST], r"0002_b\.sql was applied and is missing from include", id="missing"),
        pytest.param(
            [FIRST, SECOND], [FIRST, Migration("0002_other.sql", "SELECT 2")],
            r"0002_b\.sql was applied and is missing.*0002_other\.sql", id="renamed",
        ),
        pytest.param([FIRST, THIRD], ALL, r"0002_b\.sql was not applied, but 0003_c\.sql was", id="out of order"),
        pytest.param([], [Migration("0001_a.sql", "SELECT 1;\ncommit ;")], r"0001_a\.sql contains COMMIT", id="commit"),
        pytest.param([], [Migration("0001_a.sql", "BEGIN TRANSACTION;")], r"0001_a\.sql contains BEGIN", id="begin"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_right_are_refused_by_name(applied, migrations, said):
    with pytest.raises(MigrationError, match=said):
        plan(history(*applied), migrations)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(MigrationError) as refused:
        plan({"0001_a.sql": "another", "0009_z.sql": "gone"}, [FIRST, THIRD])

    assert all(name in str(refused.value) for name in ("0001_a.sql", "0009_z.sql", "0003_c.sql"))


def test_a_block_of_plpgsql_may_begin_and_a_savepoint_may_be_rolled_back():
    block = Migration("0001_a.sql", "DO $$\nBEGIN\n  PERFORM 1;\nEND;\n$$;\nSAVEPOINT s;\nROLLBACK TO s;")

    assert plan({}, [block]) == [block]


def test_files_are_read_in_the_order_of_their_numbers_and_alike_under_every_line_end(tmp_path):
    (tmp_path / "0002_b.sql").write_bytes(b"SELECT 2;\r\nSELECT 3;\r\n")
    (tmp_path / "0001_a.sql").write_bytes(b"SELECT 1;\n")
    (tmp_path / "README.md").touch()

    first, second = read_migrations(tmp_path)

    assert (first.name, second.name) == ("0001_a.sql", "0002_b.sql")
    assert second.checksum == Migration("0002_b.sql", "SELECT 2;\nSELECT 3;\n").checksum


def test_a_folder_without_a_file_is_an_error_and_not_a_task_that_does_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no SQL file .* deploy include/sql/migrations"):
        read_migrations(tmp_path)


def test_the_migrations_of_the_product_can_be_applied(request):
    migrations = read_migrations(request.config.rootpath / "include" / "sql" / "migrations")

    assert plan({}, migrations) == migrations
