"""A bundle that changes, and what a bucket holds after a deploy."""

import json

AIRFLOW = "3.3.1"


def sealed(bundle):
    from deploy.bundle import MANIFEST, describe
    from deploy.requirements import Source
    from deploy.versions import version

    (bundle / MANIFEST).unlink()
    (bundle / MANIFEST).write_text(json.dumps(describe(version(AIRFLOW), Source.VENDORED, bundle)))


def change(bundle, name, text):
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_text(text)
    sealed(bundle)


def versions_in(s3, bucket):
    """Every version of every object, oldest first, but the record's."""
    found = s3.list_object_versions(Bucket=bucket).get("Versions", [])
    return sorted((v["Key"], v["VersionId"]) for v in found if v["Key"] != "deployed.json")


def content_of(s3, bucket):
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {o["Key"]: s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for o in listed}


def options_of(printed):
    """The options of the one call that a deploy printed."""
    (line,) = [line for line in printed.splitlines() if "update-environment" in line]
    words = line.split()
    return dict(zip(words[3::2], words[4::2], strict=True))
