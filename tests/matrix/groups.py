"""All cases, in groups that each have an engine of their own."""

from __future__ import annotations

from collections.abc import Mapping

from tests.matrix import (
    cases_cache,
    cases_copy,
    cases_dockerfile,
    cases_files,
    cases_ignore,
    cases_mounts,
    cases_prune,
    cases_stages,
)
from tests.matrix.case import Case

GROUPS: Mapping[str, tuple[Case, ...]] = {
    "files": cases_files.CASES,
    "copy": cases_copy.CASES,
    "mounts": cases_mounts.CASES,
    "ignore": cases_ignore.CASES,
    "dockerfile": cases_dockerfile.CASES,
    "stages": cases_stages.CASES,
    "cache": cases_cache.CASES,
    "prune": cases_prune.CASES,
}
