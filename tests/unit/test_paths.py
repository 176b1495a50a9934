"""Where DAG files find their SQL."""

import pytest

from pinterest_pipeline.dag.paths import include_folder, sql_files


def test_a_project_keeps_include_beside_its_dags(tmp_path):
    (tmp_path / "include").mkdir()

    assert include_folder(tmp_path / "dags" / "a.py") == tmp_path / "include"


def test_mwaa_has_include_packed_into_the_dags_and_that_wins(tmp_path):
    (tmp_path / "include").mkdir()
    (tmp_path / "dags" / "include").mkdir(parents=True)

    assert include_folder(str(tmp_path / "dags" / "a.py")) == tmp_path / "dags" / "include"


def test_a_missing_folder_is_named_in_both_places(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"dags/include .*include: deploy"):
        include_folder(tmp_path / "dags" / "a.py")


def test_sql_files_come_in_the_order_of_their_names(tmp_path):
    (tmp_path / "publish").mkdir()
    for name in ("200_b.sql", "010_a.sql", "readme.md"):
        (tmp_path / "publish" / name).touch()

    assert sql_files(tmp_path, "publish") == ["publish/010_a.sql", "publish/200_b.sql"]


def test_an_empty_folder_is_an_error_and_not_a_task_that_does_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no SQL file"):
        sql_files(tmp_path, "publish")
