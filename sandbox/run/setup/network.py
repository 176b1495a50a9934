"""What a company's network asks of every download, taken from where pip has it and handed to uv and npm.

pip is what people have set up: its index, mirrors, certificate and proxy count for uv too, its certificate and proxy
for npm. A variable that uv or npm has of its own wins.
"""

import ast
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

SYSTEM_BUNDLES = (  # where Linux systems and macOS keep what `update-ca-certificates` and its like write
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def pip_settings(printed: str) -> dict[str, str]:
    """Return pip's settings by name from what ``pip config list`` prints; a variable goes before a section."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in printed.splitlines():
        name, is_setting, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if is_setting and section in found:
            found[section][option] = str(ast.literal_eval(value))
    return {**found["global"], **found["install"], **found[":env:"]}


def certificate(pip: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return the file of authorities that the user has named, else the system's own, else an empty text."""
    named = (
        environment.get("SSL_CERT_FILE"),
        pip.get("cert"),
        environment.get("REQUESTS_CA_BUNDLE"),
        environment.get("CURL_CA_BUNDLE"),
    )
    default = ssl.get_default_verify_paths().cafile
    return next((file for file in (*named, default, *SYSTEM_BUNDLES) if file and Path(file).is_file()), "")


def for_every_client(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that pip, uv and npm need beside those of ``environment``."""
    trusted = certificate(pip, environment)
    variables = {
        "PIP_CERT": trusted,  # pip before 24.2 trusts a list of its own only
        "UV_SYSTEM_CERTS": "1" if trusted or sys.platform == "darwin" else "",
        "SSL_CERT_FILE": pip.get("cert", "") or environment.get("REQUESTS_CA_BUNDLE", ""),
        "SSL_CLIENT_CERT": pip.get("client-cert", ""),
        "NODE_USE_SYSTEM_CA": "1",
        "NODE_EXTRA_CA_CERTS": trusted,
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        # To pip all indexes are one. The hashes are what makes that safe.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if pip.get("extra-index-url") else "",
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": pip.get("timeout") or pip.get("default-timeout", ""),
        "UV_KEYRING_PROVIDER": "subprocess" if pip.get("keyring-provider") in {"import", "subprocess"} else "",
        **proxies(pip, environment),
    }
    old_names = {
        "UV_DEFAULT_INDEX": "UV_INDEX_URL",
        "UV_INDEX": "UV_EXTRA_INDEX_URL",
        "UV_SYSTEM_CERTS": "UV_NATIVE_TLS",
    }
    return {
        name: value
        for name, value in variables.items()
        if value and name not in environment and old_names.get(name) not in environment
    }


def proxies(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return pip's proxy as the variables that everything reads, unless the environment has one."""
    proxy = pip.get("proxy", "")
    if not proxy or any(name.lower() in {"https_proxy", "all_proxy"} for name in environment):
        return {}
    url = proxy if "://" in proxy else f"http://{proxy}"
    return {"HTTP_PROXY": url, "HTTPS_PROXY": url}


def caches(environment: Mapping[str, str], own: Path) -> dict[str, str]:
    """Return where uv and npm keep what they fetched, where their usual folder cannot be written to: below ``own``."""
    home = Path(environment.get("HOME") or "/")
    usual = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    folders = {"UV_CACHE_DIR": usual / "uv", "npm_config_cache": home / ".npm", "XDG_CACHE_HOME": usual}
    return {
        name: str(own / name.lower())
        for name, folder in folders.items()
        if name == "XDG_CACHE_HOME" or name not in environment
        if not is_writable(folder)
    }


def is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def with_pip_of_this_python() -> dict[str, str]:
    """Return this environment; where an activated environment has a pip.conf of its own, pip is told of it."""
    file = Path(sys.prefix) / "pip.conf"
    return {**({"PIP_CONFIG_FILE": str(file)} if file.is_file() else {}), **os.environ}


def npm_of_this_machine() -> dict[str, str]:
    """Return the machine's own npm configuration file, which the npm of a PyPI wheel does not know of."""
    npm = shutil.which("npm")
    if npm is None or "npm_config_globalconfig" in os.environ:
        return {}
    done = subprocess.run(
        [npm, "config", "get", "globalconfig"], capture_output=True, text=True, check=False, timeout=60
    )
    file = done.stdout.strip()
    return {"npm_config_globalconfig": file} if done.returncode == 0 and Path(file).is_file() else {}
