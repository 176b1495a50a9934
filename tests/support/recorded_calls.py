"""Record which AWS operations a command calls, by botocore's client-side monitoring (one UDP datagram a call).

``python -m tests.support.recorded_calls FILE COMMAND …`` adds them to ``FILE``: a sorted JSON list of
``service:Operation``, by the ids of botocore's services. Resources are not in the datagrams. Threads and child
processes are recorded too, what the JVM calls is not.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

DATAGRAM_BYTES = 65_536


def record(command: list[str]) -> tuple[set[str], int]:
    """Run a command; return what it called, and its exit code."""
    called: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.5)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    event = json.loads(listener.recv(DATAGRAM_BYTES))
                except TimeoutError:
                    continue
                called.add(f"{event['Service']}:{event['Api']}")

        listening = threading.Thread(target=listen)
        listening.start()
        monitoring = {
            "AWS_CSM_ENABLED": "true",
            "AWS_CSM_HOST": "127.0.0.1",
            "AWS_CSM_PORT": str(listener.getsockname()[1]),
        }
        code = subprocess.run(command, env={**os.environ, **monitoring}, check=False).returncode
        ended.set()
        listening.join()
    return called, code


if __name__ == "__main__":
    file = Path(sys.argv[1])
    known = set(json.loads(file.read_text())) if file.exists() else set()
    found, exit_code = record(sys.argv[2:])
    file.write_text(json.dumps(sorted(known | found), indent=1) + "\n")
    sys.exit(exit_code)
