#!/bin/sh
# Find a Python 3.12 that really runs (a pyenv shim may not) and hand over to sandbox/run/bootstrap.py.
set -eu
here=$(dirname "$0")
for candidate in "${PYTHON:-}" python3.12 python3 python "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' >/dev/null 2>&1; then
        exec "$candidate" "$here/bootstrap.py" "$@"
    fi
done
echo "setup: Python 3.12 was not found. Install it (for example: pyenv install 3.12, or your system's python3.12 package)" >&2
echo "       or say where it is: make PYTHON=/path/to/python3.12" >&2
exit 1
