"""`make deploy` against real S3 semantics: versions, listings in pages, and a bucket that others write, too."""

import shutil
import subprocess
import uuid

import boto3
import pytest

from deploy import bucket as bucket_module
from deploy.__main__ import main
from deploy.bundle import build
from deploy.requirements import Source
from deploy.upload_plan import ENVIRONMENT_FILES
from deploy.versions import version
from tests.conftest import PROJECT
from tests.support.deploy import AIRFLOW, change, content_of, options_of, sealed, versions_in


@pytest.fixture(scope="module")
def s3(stand_ins):
    environment = stand_ins("ministack")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        yield boto3.client("s3")


@pytest.fixture(scope="module")
def whole_bundle(tmp_path_factory):
    bundle = tmp_path_factory.mktemp("whole") / "mwaa"
    build(version(AIRFLOW), bundle, Source.VENDORED)
    for folder in ("sql", "kafka", "kinesis", "databricks"):  # the rest is as good, and quicker to send
        shutil.rmtree(bundle / "dags" / "include" / folder)
    return bundle


@pytest.fixture
def bundle(whole_bundle, tmp_path):
    copied = tmp_path / "mwaa"
    shutil.copytree(whole_bundle, copied)
    sealed(copied)
    return copied


@pytest.fixture
def bucket(s3):
    name = f"deploy-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def deploy(bundle, bucket, capsys):
    def run(*options, to=bucket):
        code = main(["upload", to, "--bundle", str(bundle), *options])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    return run


def test_the_bucket_holds_the_bundle_without_what_is_for_databricks(s3, bucket, bundle, deploy):
    deploy()

    expected = {"plugins.zip", "requirements.txt", "startup.sh"}
    expected |= {p.relative_to(bundle).as_posix() for p in (bundle / "dags").rglob("*") if p.is_file()}
    held = content_of(s3, bucket)
    assert set(held) == expected | {"deployed.json"}
    assert all(held[name] == (bundle / name).read_bytes() for name in expected)


def test_what_the_environment_needs_goes_first_and_the_dag_files_last(deploy):
    sent = [line.split()[-1] for line in deploy().splitlines() if line.startswith("  upload ")]

    assert sent[:3] == list(ENVIRONMENT_FILES)
    assert all(name.startswith("dags/include/") for name in sent[3:4])
    assert sent[-1] == "dags/pinterest_stream_supervisor.py"


def test_the_printed_call_names_the_versions_of_these_very_files(s3, bucket, bundle, deploy):
    call = options_of(deploy("--environment", "pinterest", "--prefix", "/team/"))

    assert call["--name"] == "pinterest"
    for name, option in ENVIRONMENT_FILES.items():
        key = call[f"--{option}-s3-path"]
        found = s3.get_object(Bucket=bucket, Key=key, VersionId=call[f"--{option}-s3-object-version"])
        assert key == f"team/{name}"
        assert found["Body"].read() == (bundle / name).read_bytes()


def test_a_second_deploy_sends_nothing(s3, bucket, deploy):
    deploy()
    before = versions_in(s3, bucket)

    printed = deploy()

    assert "0 uploaded, 0 deleted" in printed
    assert "update-environment" not in printed
    assert versions_in(s3, bucket) == before


def test_a_changed_dag_is_all_that_is_sent_and_needs_no_update(s3, bucket, bundle, deploy):
    deploy()
    before = versions_in(s3, bucket)
    change(bundle, "dags/pinterest_daily_batch.py", "changed")

    printed = deploy()

    assert {key for key, _ in set(versions_in(s3, bucket)) - set(before)} == {"dags/pinterest_daily_batch.py"}
    assert "update-environment" not in printed


def test_a_changed_plugin_is_called_for_with_the_old_versions_of_the_others(bundle, deploy):
    before = options_of(deploy())
    change(bundle, "plugins.zip", "changed")

    after = options_of(deploy())

    changed = {option for option, value in after.items() if value != before[option]}
    assert changed == {"--plugins-s3-object-version"}


def test_a_removed_dag_is_deleted_and_what_others_put_there_stays(s3, bucket, bundle, deploy):
    change(bundle, "dags/old.py", "old")
    change(bundle, "dags/taken_over.py", "ours")
    deploy()
    s3.put_object(Bucket=bucket, Key="dags/of_another_team.py", Body=b"theirs")
    s3.put_object(Bucket=bucket, Key="dags/taken_over.py", Body=b"theirs")
    for name in ("old", "taken_over"):
        (bundle / "dags" / f"{name}.py").unlink()
    sealed(bundle)

    printed = deploy()

    held = content_of(s3, bucket)
    assert "dags/old.py" not in held
    assert held["dags/of_another_team.py"] == held["dags/taken_over.py"] == b"theirs"
    assert "dags/taken_over.py is no longer in the bundle, but another user has replaced it" in printed
    assert "0 uploaded, 0 deleted" in deploy()
    assert "dags/taken_over.py" in content_of(s3, bucket)


def test_what_another_user_overwrote_is_sent_again(s3, bucket, bundle, deploy):
    deploy()
    s3.put_object(Bucket=bucket, Key="dags/pinterest_daily_batch.py", Body=b"edited in the console")

    assert "1 uploaded" in deploy()

    assert (
        content_of(s3, bucket)["dags/pinterest_daily_batch.py"]
        == (bundle / "dags" / "pinterest_daily_batch.py").read_bytes()
    )


def test_a_deploy_that_was_cut_before_its_record_sends_nothing_twice_and_still_prints_the_call(s3, bucket, deploy):
    first = options_of(deploy())
    before = versions_in(s3, bucket)
    s3.delete_object(Bucket=bucket, Key="deployed.json")

    again = deploy()

    assert versions_in(s3, bucket) == before
    assert options_of(again) == first
    assert "update-environment" not in deploy()


def test_a_dry_run_says_what_it_would_do_and_does_nothing(s3, bucket, deploy):
    printed = deploy("--dry-run")

    assert "would upload plugins.zip" in printed
    assert "would have to be updated" in printed
    assert content_of(s3, bucket) == {}


@pytest.mark.parametrize(("only", "sent"), [("environment", set(ENVIRONMENT_FILES)), ("dags", {"dags"})])
def test_a_part_can_be_deployed_alone_and_the_other_stays(s3, bucket, deploy, only, sent):
    deploy("--only", only)

    names = content_of(s3, bucket).keys() - {"deployed.json"}
    assert {name if name in ENVIRONMENT_FILES else name.split("/")[0] for name in names} == sent
    deploy()
    assert "0 uploaded, 0 deleted" in deploy("--only", only)


def test_a_bucket_of_many_pages_is_read_to_the_last(bucket, deploy, monkeypatch):
    monkeypatch.setattr(bucket_module, "PAGE_SIZE", 4)
    deploy()

    assert "0 uploaded, 0 deleted" in deploy()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param("", "aws s3api put-bucket-versioning --bucket {bucket} ", id="never"),
        pytest.param("Suspended", "keeps no versions", id="suspended"),
        pytest.param(None, "NoSuchBucket: there is no such bucket", id="no-bucket"),
    ],
)
def test_a_bucket_that_mwaa_could_not_use_is_refused_in_one_line(s3, bundle, capsys, status, expected):
    name = f"deploy-{uuid.uuid4().hex[:12]}"
    if status is not None:
        s3.create_bucket(Bucket=name)
    if status:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})

    code = main(["upload", name, "--bundle", str(bundle)])

    (line,) = capsys.readouterr().err.splitlines()
    assert code == 1
    assert line.startswith(f"deploy: s3://{name}")
    assert expected.format(bucket=name) in line


def test_a_bundle_that_was_edited_after_it_was_built_is_refused(bucket, bundle, capsys):
    (bundle / "startup.sh").write_text("edited")

    assert main(["upload", bucket, "--bundle", str(bundle)]) == 1

    assert "startup.sh is not the file of the manifest: run `make mwaa` again." in capsys.readouterr().err


def test_the_documented_command_fills_the_sandboxes_own_bucket_and_then_sends_nothing(s3):
    command = ["make", "-o", "setup", "deploy", "BUCKET=demo"]
    said = [
        subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=120).stdout
        for _ in range(2)
    ]

    assert "s3://demo/: Airflow 3.3.1" in said[0]
    assert "\n0 uploaded, 0 deleted" in said[1]
    assert "plugins.zip" in content_of(s3, "demo")
