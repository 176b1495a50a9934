"""Download every wheel that MWAA's requirements install would, for an environment that reaches no index."""

from pathlib import Path

from deploy.errors import DeployError
from deploy.tools import run_tool
from deploy.versions import Version

NEWEST_GLIBC = 34  # Amazon Linux 2023, MWAA's image, has glibc 2.34
OLDEST_GLIBC = 17
SOURCE_ONLY = ("dill==0.3.1.1", "thrift==0.16.0")  # of Airflow 3.0.6's pins: published without a wheel
# No compiler, so that thrift leaves its optional C part out; and one time for all builds.
BUILD_ENVIRONMENT = {**dict.fromkeys(("CC", "CXX", "LDSHARED"), "false"), "SOURCE_DATE_EPOCH": "315532800"}


def download_wheels(version: Version, requirements: str, folder: Path) -> dict[str, Path]:
    """Return the wheels by name: the requirements, Airflow itself and all that these need.

    Airflow's own are there already on MWAA, and pip then leaves them; they are packed so that a pin which differs in
    the image cannot fail the install.

    :param requirements: As in the bundle; its options about places are left out here.
    """
    folder.mkdir(parents=True)
    pins = resolve(version, [line for line in requirements.splitlines() if "==" in line], folder.with_suffix(".in"))
    listed = folder.with_suffix(".txt")
    listed.write_text("\n".join(pin for pin in pins if pin not in SOURCE_ONLY) + "\n")
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)]
    run_tool(
        *("Downloading the wheels", "python", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
        *("--implementation=cp", "--abi", f"cp{version.python.replace('.', '')}", "--abi", "abi3", "--abi", "none"),
        *("--python-version", version.python, "--requirement", listed, "--dest", folder),
        *(option for name in (*platforms, "manylinux2014_x86_64", "any") for option in ("--platform", name)),
    )
    build_wheels([pin for pin in pins if pin in SOURCE_ONLY], folder)
    return {wheel.name: wheel for wheel in sorted(folder.glob("*.whl"))}


def resolve(version: Version, wanted: list[str], asked: Path) -> list[str]:
    """Return every package that MWAA's machine needs for these, as ``name==version``."""
    resolved = asked.with_suffix(".resolved")
    asked.write_text("\n".join([version.pinned("apache-airflow"), *wanted]) + "\n")
    run_tool(
        *("Resolving the wheels", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"),
        *("--python-version", version.python, "--python-platform", f"x86_64-manylinux_2_{NEWEST_GLIBC}"),
        *("--constraint", version.constraints, "--output-file", resolved, asked),
    )
    return resolved.read_text().splitlines()


def build_wheels(pins: list[str], folder: Path) -> None:
    """Build what is published as source only, into wheels that fit any machine."""
    if not pins:
        return
    command = ("Building wheels", "python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-cache-dir")
    run_tool(*command, "--wheel-dir", folder, *pins, environment=BUILD_ENVIRONMENT)
    if native := [wheel.name for wheel in folder.glob("*-linux_*.whl")]:
        raise DeployError(f"{', '.join(native)} was compiled for this machine, not for MWAA's: set BUILD_ENVIRONMENT.")
