"""Generated cases: random projects, random moves, every build held against the engine's own record of it.

`python -m tests.generated --seed N --steps 500` runs series after series; `--series K` replays one of them.
"""
