"""What setup asks of the machine before it installs anything."""

import stat

import pytest

from sandbox.run.bootstrap import SetupError, check_java


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"])
def test_options_that_the_environment_gives_every_jvm_are_not_taken_for_its_version(monkeypatch, variable):
    monkeypatch.setenv(variable, "-XX:TieredStopAtLevel=1")

    check_java()


@pytest.mark.parametrize(
    ("java", "javac", "said"),
    [
        ('openjdk version "1.8.0_392"', "javac 1.8.0_392", "java is Java 8, too old: install a JDK 17"),
        ('openjdk version "11.0.2" 2019-01-15', "javac 11.0.2", "java is Java 11, too old"),
        ('openjdk version "21" 2023-09-19', "javac 16.0.1", "javac is Java 16, too old"),
        ("no version", "javac 21", r"java is Java \?, too old"),
    ],
)
def test_an_old_java_is_refused_with_what_to_install(monkeypatch, tmp_path, java, javac, said):
    for program, line in (("java", java), ("javac", javac)):
        path = tmp_path / "bin" / program
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho 'NOTE: Picked up JDK_JAVA_OPTIONS: -Xmx99m' >&2\necho '{line}' >&2\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(SetupError, match=said):
        check_java()
