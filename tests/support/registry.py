"""A company's registry on this machine: an index of Python packages, one of Node's, a Maven repository, over HTTPS."""

import base64
import hashlib
import io
import json
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def wheel(name: str, version: str, files: Mapping[str, bytes]) -> bytes:
    """Return a wheel with these files, executable where they stand in a ``bin``."""
    info = f"{name}-{version}.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content = {**files, **about}
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*content, f"{info}/RECORD")).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, data in content.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o755 if "/bin/" in path else 0o644) << 16
            archive.writestr(entry, data)
    return packed.getvalue()


def node_package(name: str, version: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, data in {
            "package/package.json": json.dumps({"name": name, "version": version}),
            "package/main.js": "",
        }.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data.encode()))
    return packed.getvalue()


class Registry:
    """Serves what is added to it; ``statuses`` has the answer to all requests below a path.
    :ivar requests: What was asked for, in order.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.files: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.passwords: dict[str, str] = {}
        self.requests: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_port
        self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add_wheel(self, name: str, version: str, files: Mapping[str, bytes]) -> str:
        """Add a package and return its line of a hashed requirements file."""
        data = wheel(name, version, files)
        digest = hashlib.sha256(data).hexdigest()
        path = f"/files/{name}-{version}-py3-none-any.whl"
        self.files[path] = data
        link = f'<a href="{path}#sha256={digest}">{path.rpartition("/")[2]}</a>'
        self.files[f"/simple/{name.replace('_', '-')}/"] = link.encode()
        return f"{name}=={version} --hash=sha256:{digest}\n"

    def add_node_package(self, name: str, version: str) -> str:
        """Add a package and return its integrity."""
        data = node_package(name, version)
        integrity = f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"
        self.files[f"/npm/{name}/-/{name}-{version}.tgz"] = data
        tarball = {"tarball": f"https://HOST/npm/{name}/-/{name}-{version}.tgz", "integrity": integrity}
        document = {"name": name, "versions": {version: {"name": name, "version": version, "dist": tarball}}}
        self.files[f"/npm/{name}"] = json.dumps(document).encode()
        return integrity

    def add_jar(self, organisation: str, name: str, version: str) -> str:
        """Add a jar and return its line of a lock file."""
        data = f"{name} {version}".encode()
        self.files[f"/m2/{organisation.replace('.', '/')}/{name}/{version}/{name}-{version}.jar"] = data
        return f"{hashlib.sha256(data).hexdigest()}  {organisation}:{name}:{version}\n"

    def answer(self, path: str, host: str, authorization: str) -> tuple[int, bytes]:
        self.requests.append(path)
        prefix = f"/{path.split('/')[1]}"
        if prefix in self.statuses:
            return self.statuses[prefix], b""
        if password := self.passwords.get(prefix):
            expected = f"Basic {base64.b64encode(password.encode()).decode()}"
            if authorization != expected:
                return HTTPStatus.UNAUTHORIZED, b""
        data = self.files.get(path)
        return (
            (HTTPStatus.NOT_FOUND, b"")
            if data is None
            else (HTTPStatus.OK, data.replace(b"//HOST/", f"//{host}/".encode()))
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                status, data = registry.answer(self.path, self.headers["Host"], self.headers.get("Authorization", ""))
                self.send_response(status)
                if status == HTTPStatus.UNAUTHORIZED:
                    self.send_header("WWW-Authenticate", 'Basic realm="Company Realm"')
                self.send_header("Content-Type", "text/html" if self.path.startswith("/simple") else "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
