#!/bin/sh
# Find a Python 3.12 that really runs (a pyenv shim may not) and hand over to sandbox/run/setup.
set -eu
cd "$(dirname "$0")/../.."
fits() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' >/dev/null 2>&1; }
if [ -n "${PYTHON:-}" ] && ! fits "$PYTHON"; then
    version=$("$PYTHON" --version 2>&1) || version="no program that runs"
    echo "setup: PYTHON=$PYTHON is $version, not Python 3.12. Without PYTHON= one is looked for." >&2
    exit 1
fi
home=${HOME:-/nonexistent}
for candidate in "${PYTHON:-}" python3.12 python3 python \
    "${PYENV_ROOT:-$home/.pyenv}"/versions/3.12*/bin/python \
    "${ASDF_DATA_DIR:-$home/.asdf}"/installs/python/3.12*/bin/python \
    "${MISE_DATA_DIR:-$home/.local/share/mise}"/installs/python/3.12*/bin/python \
    "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$home/.local/share}/uv/python}"/cpython-3.12*/bin/python3.12 \
    /opt/homebrew/opt/python@3.12/bin/python3.12 /usr/local/opt/python@3.12/bin/python3.12 \
    /Library/Frameworks/Python.framework/Versions/3.12/bin/python3.12 /usr/local/bin/python3.12 /usr/bin/python3.12; do
    if [ -n "$candidate" ] && fits "$candidate"; then
        PYTHONPATH= exec "$candidate" -m sandbox.run.setup "$@"
    fi
done
uv="uv python install 3.12"
if ! command -v uv >/dev/null 2>&1; then
    uv="python3 -m venv .venv/uv && .venv/uv/bin/pip install uv && .venv/uv/bin/$uv"
fi
echo "setup: Python 3.12 was not found. Install it, for example as your system's package python3.12," >&2
echo "       or say where it is: make PYTHON=/path/to/python3.12. Where your system has none, this brings it:" >&2
echo "       $uv" >&2
exit 1
