"""Which Java set-up takes: decided on faked ``java`` launchers."""

import pytest

from sandbox.run import java


def fake_java(home, version, *, release=None, runs=True):
    """Make a Java home whose launcher answers as a JVM does; ``release`` is what the file beside it declares."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    said = f'openjdk version "{version}" 2024-01-01'
    lines = ["#!/bin/sh", "echo 'Picked up JAVA_TOOL_OPTIONS: -Dversion=99' >&2"]
    lines += [f"echo '    java.home = {home}' >&2", f"echo '{said}' >&2"] if runs else ["exit 1"]
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{release}"\n')
    return home


@pytest.fixture
def machine(tmp_path):
    """Return a root without Java, and an environment with a PATH and a HOME below it."""
    for folder in ("usr/bin", "home/me"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path, {"PATH": f"{tmp_path}/usr/bin", "HOME": f"{tmp_path}/home/me"}


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("1.8.0_392", False), ("11.0.2", False), ("16.0.1", False), ("17", True), ("17.0.15", True), ("21.0.8", True),
        ("22", False), ("24.0.1", False), ("25.0.3", False), ("26-ea", False),
    ],
)  # fmt: skip
def test_java_17_to_21_fits_and_no_other(machine, version, fits):
    root, environment = machine
    fake_java(root / "usr", version)

    choice = java.choose(environment, root)

    assert (choice.java is not None) == fits
    assert [found.home for found in choice.others] == ([] if fits else [root / "usr"])


@pytest.mark.parametrize(
    "place",
    [
        "usr/lib/jvm/java-17-openjdk-amd64", "usr/lib64/jvm/jre-17", "opt/jdk-17", "opt/java/openjdk",
        "opt/homebrew/opt/openjdk@17", "Library/Java/JavaVirtualMachines/temurin-17.jdk/Contents/Home",
        "home/me/.sdkman/candidates/java/17.0.9-tem", "home/me/.asdf/installs/java/temurin-17",
        "home/me/.local/share/mise/installs/java/17", "home/me/.jenv/versions/17", "home/me/.jdks/corretto-17",
        "home/me/Library/Java/JavaVirtualMachines/17/Contents/Home",
    ],
)  # fmt: skip
def test_a_java_is_found_where_systems_and_version_managers_keep_it(machine, place):
    root, environment = machine
    fake_java(root / "usr", "25.0.1")  # the one on the PATH does not fit
    home = fake_java(root / place, "17.0.9", release="17.0.9")

    assert java.choose(environment, root).java == java.Java(home, 17)


def test_a_version_manager_in_another_folder_is_found_by_its_variable(machine):
    root, environment = machine
    home = fake_java(root / "managed" / "candidates" / "java" / "21", "21.0.2")

    assert java.choose({**environment, "SDKMAN_DIR": f"{root}/managed"}, root).java == java.Java(home, 21)


def test_on_macos_java_home_is_asked(machine):
    root, environment = machine
    home = fake_java(root / "elsewhere", "21.0.2")
    finder = root / "usr" / "libexec" / "java_home"
    finder.parent.mkdir()
    finder.write_text(f'#!/bin/sh\n[ "$3" = 21 ] && echo {home}\n')
    finder.chmod(0o755)

    assert java.choose(environment, root).java == java.Java(home, 21)


def test_a_program_of_a_version_manager_leads_to_the_home_that_it_starts(machine):
    root, environment = machine
    home = fake_java(root / "real" / "jdk-17", "17.0.9")
    shim = root / "usr" / "bin" / "java"
    shim.write_text(f'#!/bin/sh\nexec {home}/bin/java "$@"\n')
    shim.chmod(0o755)

    assert java.choose(environment, root).java == java.Java(home, 17)


def test_a_java_that_declares_a_version_and_does_not_run_is_passed_over(machine):
    root, environment = machine
    fake_java(root / "usr" / "lib" / "jvm" / "a-broken", "21", release="21.0.1", runs=False)
    home = fake_java(root / "usr" / "lib" / "jvm" / "a", "17", release="17.0.9")

    assert java.choose(environment, root).java == java.Java(home, 17)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("25.0.1", "is Java 25, not 17 to 21"),
        ("11.0.2", "is Java 11, not 17 to 21"),
        (None, "has no bin/java that runs"),
    ],
)
def test_a_java_home_that_does_not_fit_is_named_and_another_taken(machine, version, reason):
    root, environment = machine
    given = root / "given"
    if version:
        fake_java(given, version)
    home = fake_java(root / "usr" / "lib" / "jvm" / "a", "17", release="17.0.9")

    choice = java.choose({**environment, "JAVA_HOME": str(given)}, root)

    assert choice.refused == f"JAVA_HOME={given} {reason}"
    assert choice.java == java.Java(home, 17)


def test_a_java_home_that_fits_goes_before_the_path(machine):
    root, environment = machine
    fake_java(root / "usr", "17.0.9")
    given = fake_java(root / "given", "21.0.1")

    assert java.choose({**environment, "JAVA_HOME": str(given)}, root) == java.Choice(java.Java(given, 21), "", ())


def test_no_java_at_all_is_no_choice(machine):
    root, environment = machine

    assert java.choose(environment, root) == java.Choice(None, "", ())
