"""hitmiss: watch BuildKit rebuild an image step by step, hit or miss."""

__version__ = "0.1.0"
