"""Download every wheel that MWAA's requirements install would, for an environment that reaches no index."""

from pathlib import Path

from deploy.requirements import read_from
from deploy.tools import run_tool
from deploy.versions import Version

NEWEST_GLIBC = 34  # Amazon Linux 2023, MWAA's image, has glibc 2.34
OLDEST_GLIBC = 17


def download_wheels(version: Version, requirements: str, folder: Path) -> dict[str, Path]:
    """Return the wheels by name: the requirements, Airflow itself and all that these need.

    Airflow's own are there already on MWAA, and pip then leaves them; they are packed so that a pin which differs in
    the image cannot fail the install.

    :param requirements: As in the bundle; its options about places are left out here.
    """
    folder.mkdir(parents=True)
    listed = folder.with_suffix(".txt")
    wanted = [line for line in read_from(requirements, ".").splitlines() if "==" in line]
    listed.write_text("\n".join([version.pinned("apache-airflow"), *wanted]) + "\n")
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)]
    options = [
        *("--only-binary=:all:", "--implementation=cp", "--abi", f"cp{version.python.replace('.', '')}"),
        *("--abi", "abi3", "--abi", "none", "--python-version", version.python),
        *(option for name in (*platforms, "manylinux2014_x86_64", "any") for option in ("--platform", name)),
    ]
    places = ["--constraint", version.constraints, "--requirement", listed, "--dest", folder]
    run_tool("Downloading the wheels", "python", "-m", "pip", "download", "--quiet", *options, *places)
    return {wheel.name: wheel for wheel in sorted(folder.glob("*.whl"))}
