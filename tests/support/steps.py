"""What a plain `docker buildx build --progress=rawjson` says of its steps, read without any code of hitmiss."""

import json
import subprocess


def hits(done: subprocess.CompletedProcess[str]) -> dict[str, bool]:
    """Name of each step → whether it was a hit."""
    steps: dict[str, bool] = {}
    for line in done.stderr.splitlines():
        for vertex in json.loads(line).get("vertexes", []) if line.startswith("{") else []:
            name = vertex["name"]
            # Of a FROM the stream says "completed", cached or not.
            if name.startswith("[") and "internal]" not in name and " FROM " not in name and "completed" in vertex:
                steps[name] = steps.get(name, False) or bool(vertex.get("cached"))
    return steps
