"""Real projects: the last commits of a public repository, built one after the other on stand-in bases.

`python -m tests.real CLONE…` says how often hitmiss was right; nothing of anybody's code is kept here.
"""
