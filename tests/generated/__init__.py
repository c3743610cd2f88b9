"""Generated cases: random projects, random moves, every build held against the engine's own record of it.

`python -m tests.generated --seed N --steps 500` runs series after series until so many steps were compared; with
`--series K` that one alone, as a disagreement names it (`N:K`). A series is a project of one to five stages
(`writer.py`), eight random moves (`moves.py`) and after each of them a plan and a build (`series.py`). The nonce of a
series is in all that it copies, runs or names, so that no two share a cache; no choice depends on it.

What is compared (`judge.py`): each verdict with the engine's record; each plan with the verdict (`depends` stands where
a step of a stage that is read ran, or where that stage is not as any earlier build had it); each cause: never
`unknown`, one for every step that ran and for no other, a root that ran and that the step can reach, a kind that the
moves since the step was last confirmed allow, and only files that differ from those of the build compared with.

Disagreements with a reason, counted apart or known:

- *A record went by itself.* Without a prune two kinds of records leave the list. That of a cache mount goes when its
  RUN runs on something else or without the cache. That of a stage's last step, as long as nothing was built on it and
  it was never exported, goes when that stage is exported for the first time (another `--target`): its twin with the
  same text takes its place. `hitmiss.docker.gone` knows both; a plan that took them for a prune would say `will run` of
  steps that hit, and is told as `a record went by itself`.
- *Cached in a build that failed.* Where a step fails (`COPY nothere /`: its cache key cannot be made), the engine calls
  everything above it `cached`, what was never built too: begun and ended at the moment at which the step failed. That
  is its verdict, and is not held against the plan of that build. Who remembers it says `will hit` of the next build,
  and `evicted` of what runs there; this is counted as wrong.
"""
