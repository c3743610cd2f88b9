"""A registry of one's own on a loopback port, for cache export and import.

Engines accept plain HTTP on loopback, so it needs no certificate. Ends with the process that started it.
"""

import http.client
import json
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.support import scratch
from tests.support.engine import NoEngineError
from tests.support.install import program
from tests.support.wait import wait_for


class Registry:
    """One registry, from `start` to `stop`; also a context manager."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> "Registry":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def is_alive(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self._get("/v2/") == b"{}"
        return False

    def ref(self, name: str) -> str:
        """What an engine calls `name` here, as in `--cache-to type=registry,ref=…`."""
        return f"{self.host}/{name}"

    def names(self) -> list[str]:
        """The repositories that something was pushed to."""
        return list(json.loads(self._get("/v2/_catalog"))["repositories"])

    def get(self, path: str, accept: str = "application/vnd.oci.image.manifest.v1+json") -> bytes:
        """What it answers to a GET, such as `/v2/NAME/manifests/TAG`."""
        return self._get(path, {"Accept": accept})

    def start(self) -> "Registry":
        path = program("docker-registry")
        if path is None:
            raise NoEngineError("There is no docker-registry here: `python3 -m tests.support.install` installs it.")
        self._folder, self._lock = scratch.claim()
        try:
            # A port that is free now may be taken before the registry binds it.
            for _ in range(5):
                if self._launch(path, self._folder):
                    return self
            raise NoEngineError(f"The registry did not start: {(self._folder / 'log').read_text().strip()[-300:]}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and remove what was pushed."""
        if self._folder is None:
            return
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
        folder, lock = self._folder, self._lock
        self._folder = self._lock = self._process = None
        scratch.destroy(folder, lock)

    def _launch(self, path: str, folder: Path) -> bool:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        # JSON is YAML too.
        (folder / "config.yml").write_text(json.dumps(config))
        with (folder / "log").open("ab") as log:
            self._process = process = subprocess.Popen(
                [path, "serve", str(folder / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "OTEL_TRACES_EXPORTER": "none"},
            )
        wait_for(lambda: self.is_alive or process.poll() is not None, 20, "the registry to answer")
        return process.poll() is None

    def _get(self, path: str, headers: dict[str, str] | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers=headers or {})
            return connection.getresponse().read()
        finally:
            connection.close()
