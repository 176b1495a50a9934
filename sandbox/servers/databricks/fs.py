"""``dbutils.fs``: the basics, on every file system that Spark's Hadoop configuration knows; the sandbox has no DBFS."""

from typing import Any, NamedTuple

from sandbox.servers.databricks.notebook import Host

HEAD_BYTES = 65_536  # the service's default


class FileInfo(NamedTuple):
    """One entry of ``ls``."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815 - the service's name

    def isDir(self) -> bool:  # noqa: N802 - the service's name
        return self.name.endswith("/")


class FileSystem:
    """Files by URI; the first use pays for the SparkSession."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def head(self, file: str, max_bytes: int = HEAD_BYTES) -> str:
        system, path = self._open(file)
        stream = system.open(path)
        try:
            return bytes(stream.readNBytes(max_bytes)).decode(errors="replace")
        finally:
            stream.close()

    def ls(self, dir: str) -> list[FileInfo]:  # noqa: A002 - the service's name
        system, path = self._open(dir)
        return [
            FileInfo(
                status.getPath().toString() + ("/" if status.isDirectory() else ""),
                status.getPath().getName() + ("/" if status.isDirectory() else ""),
                0 if status.isDirectory() else status.getLen(),
                status.getModificationTime(),
            )
            for status in system.listStatus(path)
        ]

    def put(self, file: str, contents: str, overwrite: bool = False) -> bool:
        system, path = self._open(file)
        stream = system.create(path, overwrite)
        try:
            stream.write(bytearray(contents.encode()))
        finally:
            stream.close()
        return True

    def mkdirs(self, dir: str) -> bool:  # noqa: A002 - the service's name
        system, path = self._open(dir)
        return bool(system.mkdirs(path))

    def rm(self, dir: str, recurse: bool = False) -> bool:  # noqa: A002 - the service's signature
        system, path = self._open(dir)
        return bool(system.delete(path, recurse))

    def cp(self, from_: str, to: str, recurse: bool = False) -> bool:
        return self._copy(from_, to, recurse=recurse, moves=False)

    def mv(self, from_: str, to: str, recurse: bool = False) -> bool:
        return self._copy(from_, to, recurse=recurse, moves=True)

    def _copy(self, source: str, target: str, *, recurse: bool, moves: bool) -> bool:
        here, path = self._open(source)
        there, other = self._open(target)
        if here.getFileStatus(path).isDirectory() and not recurse:
            raise ValueError(f"{source} is a directory: give recurse=True")
        context = self._host.spark_names()["sc"]
        copy = context._jvm.org.apache.hadoop.fs.FileUtil.copy
        return bool(copy(here, path, there, other, moves, context._jsc.hadoopConfiguration()))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"dbutils.fs.{name} is not in the sandbox; it has cp, head, ls, mkdirs, mv, put and rm")

    def _open(self, uri: str) -> tuple[Any, Any]:
        """Return Hadoop's file system of a URI, and its path."""
        if ":/" not in uri or uri.startswith("dbfs:"):
            raise ValueError(f"The sandbox has no DBFS: give {uri!r} as a URI such as s3a://bucket/key or file:/path.")
        context = self._host.spark_names()["sc"]
        path = context._jvm.org.apache.hadoop.fs.Path(uri)
        return path.getFileSystem(context._jsc.hadoopConfiguration()), path
