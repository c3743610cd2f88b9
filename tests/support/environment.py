"""Which variables lead a client to an engine, and where a program keeps its files.

Standard library only, and of use on every system: tests that need no engine are isolated with it too.
"""

import re
from pathlib import Path

STRAY = re.compile(r"^(DOCKER_|BUILDX_|BUILDKIT_|COMPOSE_|EXPERIMENTAL_BUILDKIT|SOURCE_DATE_EPOCH$)")
"""Names of variables that would point a client elsewhere or change what it does."""

PERSONAL = re.compile(r"^(HITMISS_|TEXTUAL(?!_SNAPSHOT)|(NO_COLOR|FORCE_COLOR|CLICOLOR|VISUAL|EDITOR|COLUMNS|LINES)$)")
"""Names of variables by which a person changes what a program looks like."""

XDG = {
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CONFIG_HOME": ".config",
    "XDG_CACHE_HOME": ".cache",
}


def home_variables(home: Path) -> dict[str, str]:
    """HOME, and the XDG folders in it."""
    return {"HOME": str(home), **{name: str(home / folder) for name, folder in XDG.items()}}
