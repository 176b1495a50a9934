"""Run a step's program: bounded in time, again after a pause where that can help, and ended when another step fails."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
ATTEMPTS = 3
PAUSE_SECONDS = 5
OUTPUT_CHARACTERS = 1500
HELP = "docs/troubleshooting.md"
# What a program says of a failure that no further attempt can change, and what to do about it.
FINAL = (
    (
        ("UnknownIssuer", "invalid peer certificate", "CERTIFICATE_VERIFY_FAILED", "certificate verify failed",
         "PKIX path building failed", "unable to get local issuer certificate", "UNABLE_TO_GET_ISSUER_CERT",
         "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "SELF_SIGNED_CERT", "self-signed certificate"),
        "The server's certificate is not trusted: name the file with your company's authority, "
        "SSL_CERT_FILE=/path/to/authority.pem.",
    ),
    (
        ("401 Unauthorized", "401 Client Error", "E401", "response code 401", "HTTP 401", "code: 401", "407 Proxy"),
        "The registry or the proxy asks for a user and a password, or refuses those that it got.",
    ),
    (("403 Forbidden", "403 Client Error", "E403", "response code 403", "code: 403"), "The registry refuses access."),
    (
        ("404 Not Found", "404 Client Error", "E404", "was not found in the package registry", "No solution found",
         "No matching distribution found", "UNRESOLVED DEPENDENCIES"),
        "The registry does not have it: a mirror may hold a part only.",
    ),
    (("No space left on device", "ENOSPC"), "The disk is full."),
    (("Read-only file system", "Permission denied", "EACCES", "EROFS"), "A folder cannot be written to."),
)  # fmt: skip
PASSING = ("Server access error", "SERVER ERROR")  # Ivy calls a jar unresolved for these too


class SetupError(Exception):
    """Something to install or to fix; the message says what."""


class Runner:
    """Runs programs with the variables that this machine's network needs.

    :param find_environment: Returns the variables of every program; called once, when the first is run.
    """

    def __init__(self, find_environment: Callable[[], Mapping[str, str]]) -> None:
        self._find_environment = find_environment
        self._environment: Mapping[str, str] | None = None
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._has_stopped = False

    @property
    def environment(self) -> Mapping[str, str]:
        with self._lock:
            if self._environment is None:
                self._environment = self._find_environment()
            return self._environment

    def run(
        self,
        command: Sequence[str | Path],
        what: str,
        *,
        timeout: float = 1800,
        attempts: int = ATTEMPTS,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Run a program to its end, again where a failure may pass.

        :param variables: What it needs beside the environment of all.

        :raises SetupError: when no attempt succeeded, or the first one failed for good.
        """
        said = ""
        environment, end = {**self.environment, **(variables or {})}, ""
        for attempt in range(1, attempts + 1):
            code, said = self._run_once(command, environment, timeout)
            if code == 0:
                return
            if self._has_stopped:
                raise SetupError(f"{what}: stopped.")
            end = said[-OUTPUT_CHARACTERS:].strip()
            if advice := final_advice(said):
                raise SetupError(f"{what} cannot be set up. {advice} See {HELP}.\n{end}".rstrip())
            if attempt < attempts:
                say(f"{what}: attempt {attempt} of {attempts} failed, trying again")
                time.sleep(PAUSE_SECONDS * attempt)
        raise SetupError(f"{what} could not be set up, see {HELP}.\n{end}".rstrip())

    def _run_once(
        self, command: Sequence[str | Path], environment: Mapping[str, str], timeout: float
    ) -> tuple[int, str]:
        with self._lock:
            if self._has_stopped:
                return 1, ""
            process = subprocess.Popen(
                [str(part) for part in command], cwd=PROJECT, env=environment, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            self._running.add(process)
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return 1, f"It gave no answer within {timeout:.0f} s."
        finally:
            self._running.discard(process)
        return process.returncode, said

    def stop(self) -> None:
        """End what runs, and let nothing more start."""
        with self._lock:
            self._has_stopped = True
            for process in self._running:
                process.terminate()


def final_advice(said: str) -> str:
    """Return what to do about a failure that a further attempt would only repeat, empty where it may pass."""
    may_pass = any(sign in said for sign in PASSING)
    entries = FINAL[:2] if may_pass else FINAL
    return next((advice for signs, advice in entries if any(sign in said for sign in signs)), "")


def say(text: str) -> None:
    """Tell of the progress beside the output, which belongs to what is made: `eval "$(make -s env)"` runs it."""
    sys.stderr.write(f"setup: {text}\n")  # in one piece: steps run beside each other
    sys.stderr.flush()
