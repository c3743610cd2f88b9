"""A registry that gives nothing away: it answers every request as it was told to, on a loopback port.

It speaks plain HTTP, and says so to whoever begins with TLS, as a real one does; engines then ask it again.
"""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

_HELLO = b"\x16"
"""What a TLS client begins with."""


class _Answer(BaseHTTPRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        if self.connection.recv(1, socket.MSG_PEEK) == _HELLO:
            self.connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nThis is an HTTP server.")
            return
        super().handle()

    def _answer(self) -> None:
        token = self.path.startswith("/token")
        status = 200 if token else self.server.status
        body = json.dumps({"token": "x"} if token else {"errors": [{"code": "DENIED", "message": "no"}]}).encode()
        self.send_response(status)
        if status == 401:
            address = f"127.0.0.1:{self.server.server_port}"
            self.send_header("WWW-Authenticate", f'Bearer realm="http://{address}/token",service="x"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - the names are the library's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        pass


class _Server(ThreadingHTTPServer):
    status = 401
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none of our business."""


class Refusing:
    """The registry, from entering to leaving the context; `status` is the HTTP status of its answers."""

    def __init__(self, status: int) -> None:
        self._server = _Server(("127.0.0.1", 0), _Answer)
        self._server.status = status

    def __enter__(self) -> "Refusing":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"
