"""Says what is to be heard in recordings: main.py FILE_OR_FOLDER..., with one line from every plugin."""

import importlib
import pkgutil
import sys
from pathlib import Path

import miniaudio
import numpy as np

import plugins

KINDS = {".flac", ".mp3", ".ogg", ".wav"}
RATE = 16_000


def load(path: Path) -> np.ndarray:
    """The samples of a recording, of one channel, from -1 to 1."""
    sound = miniaudio.decode_file(
        str(path), output_format=miniaudio.SampleFormat.FLOAT32, nchannels=1, sample_rate=RATE
    )
    return np.asarray(sound.samples, dtype=np.float32)


def recordings(words: list[str]) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, words):
        found += sorted(p for p in path.rglob("*") if p.suffix in KINDS) if path.is_dir() else [path]
    return found


def main(words: list[str]) -> int:
    names = sorted(module.name for module in pkgutil.iter_modules(plugins.__path__))
    hearers = [importlib.import_module(f"plugins.{name}") for name in names]
    paths = recordings(words)
    if not paths:
        print(f"No recording in {' '.join(words) or 'nothing'}; plugins: {', '.join(names)}")
        return 1
    for path in paths:
        samples = load(path)
        print(f"{path}: {len(samples) / RATE:.1f} s")
        for name, hearer in zip(names, hearers, strict=True):
            print(f"  {name}: {hearer.hear(samples, RATE)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
