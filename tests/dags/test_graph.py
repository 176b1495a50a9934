"""The pipeline's order, as a person on call reads it."""

from itertools import pairwise
from pathlib import Path

import pytest


@pytest.fixture
def batch(dags):
    return dags["pinterest_daily_batch"]


@pytest.fixture
def connector(dags):
    return dags["pinterest_sink_connector"]


@pytest.fixture
def redrive(dags):
    return dags["pinterest_redrive"]


@pytest.fixture
def supervisor(dags):
    return dags["pinterest_stream_supervisor"]


@pytest.fixture
def streams(dags):
    return dags["pinterest_kinesis_streams"]


def after(dag, task_id):
    return {task.task_id for task in dag.get_task(task_id).get_flat_relatives(upstream=False)}


def test_the_stages_follow_each_other(batch):
    order = [
        "choose_window", "ingest.topics_exist", "ingest.offsets_grow", "ingest.send_posts", "any_posts", "posts_landed",
        "lakehouse.submit_batch_run", "lakehouse.bronze", "lakehouse.silver", "lakehouse.gold",
        "publish.publish_gold",
    ]  # fmt: skip

    for before, behind in pairwise(order):
        assert behind in after(batch, before), f"{behind} does not wait for {before}"


def test_the_tables_exist_before_anybody_writes_them(batch):
    assert {"lakehouse.submit_batch_run", "publish.publish_gold", "reconcile_rows"} <= after(batch, "migrate_warehouse")


def test_nothing_is_looked_for_in_the_lake_while_the_connector_is_sick(batch):
    assert "posts_landed" in after(batch, "connector_is_healthy")


def test_a_day_without_posts_skips_the_lakehouse_and_is_still_reconciled(batch):
    short_circuit, reconcile = batch.get_task("any_posts"), batch.get_task("reconcile_rows")

    assert not short_circuit.ignore_downstream_trigger_rules
    assert {"posts_landed", "lakehouse.submit_batch_run"} == short_circuit.downstream_task_ids
    assert reconcile.trigger_rule == "none_failed"


def test_pin_geo_and_user_are_sent_side_by_side_under_their_names(batch):
    task = batch.get_task("ingest.send_posts")

    assert len(task.expand_input.value) == 3
    assert task.partial_kwargs["map_index_template"]


def test_each_stage_says_what_it_makes(batch):
    made = {task.task_id: {asset.name for asset in task.outlets} for task in batch.tasks if task.outlets}

    assert made["lakehouse.bronze"] == {f"pinterest_lake_bronze_{table}" for table in ("pin", "geo", "user")}
    assert "pinterest_lake_quarantine" in made["lakehouse.silver"]
    assert made["publish.publish_gold"] == {"pinterest_warehouse_gold"}


def test_a_sick_connector_is_restarted_checked_again_and_reported(connector):
    assert connector.get_task("connector_is_healthy").soft_fail
    assert connector.get_task("restart_connector").trigger_rule == "all_skipped"
    assert "healthy_after_restart" in after(connector, "restart_connector")
    assert connector.get_task("alert").trigger_rule == "one_failed"
    assert connector.get_task("alert").upstream_task_ids == set(connector.task_ids) - {"alert"}


def test_a_request_is_recorded_before_the_stream_is_stopped_launched_and_watched(supervisor):
    order = ["migrate_warehouse", "take_request", "stop_stream", "launch_stream", "watch_stream"]

    for before, behind in pairwise(order):
        assert behind in after(supervisor, before), f"{behind} does not wait for {before}"


def test_the_stream_is_launched_where_nothing_had_to_be_stopped_and_not_watched_where_it_is_not(supervisor):
    assert supervisor.get_task("launch_stream").trigger_rule == "none_failed"
    assert supervisor.get_task("watch_stream").trigger_rule == "all_success"


def test_the_supervisor_migrates_the_warehouse_and_creates_nothing_else(supervisor, batch):
    folder = supervisor.get_task("migrate_warehouse").folder
    statements = " ".join(file.read_text() for file in Path(folder).glob("*.sql"))

    assert "stream.control" in statements
    assert folder == batch.get_task("migrate_warehouse").folder
    assert not [task.task_id for task in supervisor.tasks if getattr(task, "sql", None)]


def test_streams_are_scaled_only_after_they_are_ensured_and_deleted_only_after_a_person_approved(streams):
    assert "scale_stream" in after(streams, "ensure_stream")
    assert streams.get_task("delete_stream").upstream_task_ids >= {"approve_deletion"}
    assert not streams.get_task("streams_to_delete").ignore_downstream_trigger_rules
    assert {"approve_deletion", "delete_stream"} == streams.get_task("streams_to_delete").downstream_task_ids
    assert all(task.trigger_rule == "all_success" for task in streams.tasks)


def test_nothing_is_scaled_or_deleted_unless_a_run_is_told_to(streams):
    assert streams.params.dump() == {
        "scale_to": {}, "accept": {}, "delete": [], "force": False, "delete_without_approval": False,
    }  # fmt: skip


def test_dead_letters_are_resolved_before_the_lakehouse_and_recorded_even_where_a_table_failed(redrive):
    order = [
        "find_dead_letters", "choose_path", "ingest.topics_exist", "ingest.offsets_grow", "ingest.redrive",
        "posts_landed", "lakehouse.submit_run", "lakehouse.bronze", "lakehouse.silver", "lakehouse.reprocess",
        "lakehouse.gold", "publish.publish_gold",
    ]  # fmt: skip

    for before, behind in pairwise(order):
        assert behind in after(redrive, before), f"{behind} does not wait for {before}"
    assert redrive.get_task("record_redriven").trigger_rule == "none_skipped"
    assert redrive.get_task("record_redriven").upstream_task_ids == {"ingest.redrive", "migrate_warehouse"}


def test_without_dead_letters_quarantined_records_are_validated_and_a_dry_run_starts_nothing_else(redrive):
    run = redrive.get_task("lakehouse.submit_run")

    assert run.trigger_rule == "none_failed_min_one_success"
    # each is skipped with the path that is not taken: a task that always succeeds would start the run
    assert run.upstream_task_ids == {"acknowledged_offsets", "posts_landed", "record_redriven", "migrate_warehouse"}
    assert redrive.get_task("choose_path").downstream_task_ids == {
        "preview.submit_preview", "migrate_warehouse", "ingest.topics_exist",
    }  # fmt: skip


def test_nothing_is_published_before_its_quality_is_checked_and_rows_are_reconciled_in_any_case(batch, redrive):
    assert batch.get_task("publish.publish_gold").upstream_task_ids == {"lakehouse.gold", "publish.check_quality"}
    assert "lakehouse.silver" in batch.get_task("publish.check_quality").upstream_task_ids
    for dag, task_id in ((batch, "reconcile_rows"), (redrive, "reconcile_redriven")):
        before = {task.task_id for task in dag.get_task(task_id).get_flat_relatives(upstream=True)}
        assert "lakehouse.silver" in before
        assert "publish.publish_gold" not in before
