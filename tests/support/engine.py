"""A Docker engine of one's own: for tests, `make run`, `make bench` and `make screenshots`.

It lives in a folder that `scratch` claimed, with its own socket, data, bridge and cgroup, and with a client
configuration that knows no other engine. It never speaks to an engine that somebody else started, and it changes
neither the firewall nor the routing of the machine. Linux and root only.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from tests.support import images, network, scratch
from tests.support.environment import STRAY, home_variables
from tests.support.install import PLUGINS, program, search_path
from tests.support.wait import wait_for

FOREIGN = frozenset({"/var/run/docker.sock", "/run/docker.sock"})
"""Where the machine's own engine listens: never spoken to from here."""


class NoEngineError(Exception):
    """No private engine can be had here; the message is one sentence."""


class DockerCommandError(Exception):
    """A docker command failed; the message has the end of what it said, `done` all of it."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"{' '.join(done.args)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        self.done = done


class PrivateEngine:
    """One daemon, from `start` to `stop`; also a context manager.

    With `kept` it outlives this process, and `PrivateEngine.attached` finds it again by its folder.
    """

    def __init__(self, *, parent: Path = scratch.PARENT, kept: bool = False) -> None:
        self.parent = parent
        self.kept = kept
        self._folder: Path | None = None
        self._lock: int | None = None
        self._network: network.Network | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def attached(cls, folder: Path) -> "PrivateEngine":
        """The kept engine that lives in `folder`."""
        engine = cls(parent=folder.parent, kept=True)
        engine._folder = folder
        engine._network = network.read(folder / "network.json")
        return engine

    def __enter__(self) -> "PrivateEngine":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Where it is.

    @property
    def folder(self) -> Path:
        assert self._folder is not None, "the engine was not started"
        return self._folder

    @property
    def network(self) -> network.Network:
        assert self._network is not None, "the engine was not started"
        return self._network

    @property
    def socket(self) -> Path:
        path = self.folder / "docker.sock"
        assert str(path) not in FOREIGN
        assert str(path.resolve()) not in FOREIGN
        return path

    @property
    def host(self) -> str:
        """What DOCKER_HOST has to be."""
        return f"unix://{self.socket}"

    @property
    def log_file(self) -> Path:
        return self.folder / "dockerd.log"

    @property
    def pid(self) -> int | None:
        """The daemon's process, if it runs."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "dockerd.pid").read_text())
            return pid if scratch.is_alive(pid) else None
        return None

    @property
    def is_alive(self) -> bool:
        """Whether the daemon answers."""
        try:
            return self.api("GET", "/_ping", timeout=2) == b"OK"
        except OSError:
            return False

    # Its life.

    def start(self) -> "PrivateEngine":
        """Start a daemon that has nothing yet, and wait until it answers."""
        daemon = _needs()
        self._folder, self._lock = scratch.claim(self.parent, kept=self.kept)
        try:
            self._network = network.claim(self.folder / "network.json")
            self._configure()
            self._launch(daemon)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the daemon and all that it started, and remove whatever it made."""
        if self._folder is None:
            return
        folder, lock = self._folder, self._lock
        with contextlib.suppress(OSError):
            # The shims of killed containers would leave sockets outside the folder.
            for container in json.loads(self.api("GET", "/containers/json?all=true", timeout=5)):
                self.api("DELETE", f"/containers/{container['Id']}?force=true&v=true", timeout=20)
        # With its data goes every reason to wait for a graceful end.
        self._end(graceful=False)
        self._folder = self._lock = self._network = None
        scratch.destroy(folder, lock)

    def kill_hard(self) -> None:
        """Let the daemon die in the middle of whatever it does; its data stays."""
        self._end(graceful=False)
        scratch.end_family(self.folder)

    def restart(self) -> None:
        """Come back on the same socket with the same data; what ran is killed."""
        self._end(graceful=True)
        scratch.end_family(self.folder)
        # A daemon waits ten seconds for a process whose number it finds here and that is only a zombie.
        shutil.rmtree(self.folder / "exec", ignore_errors=True)
        for name in ("docker.sock", "dockerd.pid"):
            (self.folder / name).unlink(missing_ok=True)
        self._launch(_needs())

    def _configure(self) -> None:
        for name in ("bin", "docker", "buildx", "home", "tmp"):
            (self.folder / name).mkdir()
        (self.folder / "bin/docker").symlink_to(_needed("docker"))
        plugins = [folder for folder in PLUGINS if Path(folder).is_dir()]
        (self.folder / "docker/config.json").write_text(json.dumps({"cliPluginsExtraDirs": plugins}))
        config: dict[str, Any] = {
            "hosts": [self.host],
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.folder / "exec"),
            "pidfile": str(self.folder / "dockerd.pid"),
            "features": {"containerd-snapshotter": True},
            "bridge": self.network.bridge,
            "default-address-pools": [{"base": str(self.network.pool), "size": 27}],
            "cgroup-parent": f"/{self.folder.name}",
            # The machine's firewall and routing belong to the engine that may run already.
            "iptables": False,
            "ip6tables": False,
            "ip-masq": False,
            "ip-forward": False,
            "userland-proxy": False,
            # Nothing is to leave the cache unless a test says so.
            "builder": {"gc": {"enabled": False}},
            "shutdown-timeout": 1,
        }
        if _filesystem(self.folder) == "overlay":
            # An overlay cannot lie on an overlay.
            config["storage-driver"] = "native"
        (self.folder / "daemon.json").write_text(json.dumps(config, indent=1))

    def _launch(self, daemon: str) -> None:
        env = {name: value for name, value in os.environ.items() if not STRAY.match(name)}
        env.update(HOME=str(self.folder / "home"), TMPDIR=str(self.folder / "tmp"), PATH=search_path())
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [daemon, "--config-file", str(self.folder / "daemon.json")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
                env=env,
            )
        process = self._process
        wait_for(lambda: self.is_alive or process.poll() is not None, 30, "the private engine to answer")
        if process.poll() is not None:
            last = self.log_file.read_text(errors="replace").strip().splitlines()[-1:]
            raise NoEngineError(f"The private engine did not start: {' '.join(last)}")
        if self.kept:
            # Nobody here is to wait for it, or to be warned that nobody did.
            process.returncode = 0
            self._process = None

    def _end(self, *, graceful: bool) -> None:
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 15 if graceful else 9)
            try:
                wait_for(lambda: not scratch.is_alive(pid), 5)
            except AssertionError:
                os.kill(pid, 9)
        if self._process is not None:
            if pid is None:
                self._process.kill()
            self._process.wait(10)
            self._process = None

    # Who uses it.

    def env(self, base: Mapping[str, str] | None = None, *, home: Path | None = None) -> dict[str, str]:
        """The environment of a process that uses this engine and no other.

        With `home`, that is also its HOME, and its XDG folders lie there.
        """
        base = os.environ if base is None else base
        env = {name: value for name, value in base.items() if not STRAY.match(name)}
        env.update(
            DOCKER_HOST=self.host,
            DOCKER_CONFIG=str(self.folder / "docker"),
            BUILDX_CONFIG=str(self.folder / "buildx"),
            PATH=f"{self.folder / 'bin'}{os.pathsep}{base.get('PATH', os.defpath)}",
        )
        if home is not None:
            env.update(home_variables(home))
        return env

    def docker(
        self, *words: str, check: bool = True, timeout: float = 60, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker WORDS` against this engine."""
        done = subprocess.run(
            [str(self.folder / "bin/docker"), *words],
            check=False,
            timeout=timeout,
            cwd=cwd,
            input=stdin,
            env=self.env(),
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise DockerCommandError(done)
        return done

    def api(self, method: str, path: str, body: Any = None, *, timeout: float = 60) -> bytes:
        """Ask the daemon itself, for what the client would take five times as long."""
        connection = _SocketConnection(self.socket, timeout)
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/x-tar"} if body is not None else {}
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                data = answer.read()
            except http.client.HTTPException as error:
                raise ConnectionError(f"{method} {path}: {error!r}") from error
        if answer.status >= 400:
            raise OSError(f"{method} {path}: {answer.status} {data.decode(errors='replace').strip()}")
        return data

    def running(self) -> list[str]:
        """The names of the processes of this engine: its daemons, and what runs in steps and containers."""
        names = []
        for pid in scratch.family(self.folder):
            # One may have ended since.
            with contextlib.suppress(OSError):
                names.append(Path(f"/proc/{pid}/comm").read_text().strip())
        return names

    # What it has.

    def import_base(self, *names: str, marker: str = "", pace_ms: int = 0) -> None:
        """Load the stand-in base image under `names`, by default under those of `images.DEFAULT_NAMES`.

        A name that is there already moves to the new image.
        """
        self._load(images.archive(names or images.DEFAULT_NAMES, marker, pace_ms))

    def images(self) -> dict[str, str]:
        """Name → digest of every image that has a name."""
        listed = json.loads(self.api("GET", "/images/json"))
        return {name: image["Id"] for image in listed for name in image.get("RepoTags") or []}

    def copy_images_to(self, other: "PrivateEngine", *names: str) -> None:
        """Give `other` these images, or all that have a name, with the same digests."""
        wanted = names or tuple(self.images())
        query = "&".join(f"names={quote(name, safe='')}" for name in wanted)
        other._load(self.api("GET", f"/images/get?{query}"))

    def _load(self, archive: bytes) -> None:
        answer = self.api("POST", "/images/load?quiet=1", archive)
        for line in answer.splitlines():
            if "error" in (said := json.loads(line)):
                raise OSError(f"loading images: {said['error']}")

    def add_builder(self, other: "PrivateEngine", name: str = "second") -> str:
        """Make `other` a context, so a builder, of this engine's clients.

        It is chosen with `docker --context NAME`, or DOCKER_CONTEXT without DOCKER_HOST; buildx refuses `--builder`.
        """
        self.remove_builder(name)
        self.docker("context", "create", name, "--docker", f"host={other.host}")
        return name

    def remove_builder(self, name: str = "second") -> None:
        self.docker("context", "rm", "--force", name, check=False)

    def build(self, path: Path, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`docker buildx build` of the folder `path`."""
        return self.docker("buildx", "build", "--progress=rawjson", *options, str(path), check=check)

    def empty_cache(self) -> None:
        """Forget every build step; the images stay. What `docker buildx prune --all` does, ten times as fast.

        What the last build used is let go of a moment after its client has ended.
        """

        def empty() -> bool:
            self.api("POST", "/build/prune?all=true")
            return not json.loads(self.api("GET", "/system/df?type=build-cache"))["BuildCache"]

        wait_for(empty, 20, "the cache to be empty")


def _needs() -> str:
    """The path of dockerd, once everything is known to be there that an engine needs."""
    if sys.platform != "linux":
        raise NoEngineError("A private engine needs Linux.")
    if os.geteuid() != 0:
        raise NoEngineError("A private engine needs root: run the tests as root.")
    for name in ("docker", "containerd", "runc", "ip"):
        _needed(name)
    return _needed("dockerd")


def _needed(name: str) -> str:
    path = program(name)
    if path is None:
        raise NoEngineError(f"There is no {name} here: `python3 -m tests.support.install` installs it.")
    return path


def _filesystem(folder: Path) -> str:
    """The type of the file system that holds `folder`."""
    best = ("", "")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point, kind = line.split()[1:3]
        if folder.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


if __name__ == "__main__":
    from tests.support.engine_cli import main

    sys.exit(main())
