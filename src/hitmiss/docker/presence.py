"""Whether an engine answers, asked before anything is started: the answer costs less than a millisecond."""

from __future__ import annotations

import socket

from hitmiss.docker import endpoint
from hitmiss.docker.client import error_of
from hitmiss.errors import EngineError

_TIMEOUT_S = 2.0


def require_engine(builder: str | None = None) -> None:
    """Raise `EngineError` when the engine surely does not answer: no socket, no permission, nobody behind it.

    An engine that is not reached by a unix socket is not asked; its builds will tell.
    """
    path = endpoint.socket_path(builder)
    if path is None:
        return
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(str(path))
    except PermissionError:
        words = "permission denied while trying to connect to the docker API"
        raise error_of(words) or EngineError(words) from None
    except OSError:
        words = f"Cannot connect to the Docker daemon at unix://{path}."
        raise error_of(words) or EngineError(words) from None
