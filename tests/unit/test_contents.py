"""The digests of what sources select: what counts, what does not, and where links lead."""

from __future__ import annotations

from hitmiss.project.chosen import Source
from hitmiss.project.ignore import NOTHING_IGNORED
from hitmiss.project.manifest import Manifest
from tests.support.project import Project


def _read(project: Project, *, by_path: bool = False) -> Manifest:
    manifest = Manifest(str(project.path), NOTHING_IGNORED, by_path=by_path)
    manifest.read()
    return manifest


def _digests(project: Project, *sources: Source, by_path: bool = False) -> list[bytes]:
    manifest = _read(project, by_path=by_path)
    return [manifest.content(each) for each in sources]


def test_what_counts(project: Project) -> None:
    project.write("d/a", "a", mode=0o644)
    project.write("e/a", "a", mode=0o644)
    (project / "l").symlink_to("d")
    (project / "m").symlink_to("d/a")
    (project / "round").symlink_to("round")
    d, e, link, name, other = (Source(f"/{each}", follow=True) for each in ("d", "e", "l", "d/a", "m"))
    missing, circle = Source("/none"), Source("/round", follow=True)
    digests = _digests(project, d, e, link, name, other)
    assert len(set(digests)) == 2
    assert digests[0] == digests[1] == digests[2]
    assert _digests(project, missing) == _digests(project, circle)
    manifest = _read(project)
    assert [manifest.found(each) for each in (d, other, missing, circle)] == [True, True, False, False]
    assert manifest.covered(link) == {"d", "d/a"}
    assert manifest.behind(link) == (Source("/d"),)
    assert manifest.behind(d) == ()
    (project / "e").chmod(0o700)
    assert _digests(project, d) != _digests(project, e)


def test_before_026_only_names_count_under_wildcards(project: Project) -> None:
    project.write("d1/x", "x")
    project.write("d1/y", "y")
    source = Source("/d*/?", wildcards=True, follow=True)
    before = [_digests(project, source, by_path=each) for each in (False, True)]
    (project / "d1").rename(project / "d2")
    after = [_digests(project, source, by_path=each) for each in (False, True)]
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_links_among_what_patterns_leave(project: Project) -> None:
    project.write("lib/a", "a")
    project.write("src/x.md", "x")
    (project / "src/l").symlink_to("../lib")
    (project / "way").symlink_to("src")
    wild = Source("/src/*", wildcards=True, follow=True)
    through = Source("/way/*.md", wildcards=True, follow=True)
    manifest = _read(project)
    assert manifest.covered(wild) == {"src/x.md", "src/l", "lib", "lib/a"}
    assert manifest.behind(wild) == (Source("/lib"),)
    assert manifest.covered(through) == {"src/x.md"}
    assert manifest.behind(through) == (Source("/src/*.md", wildcards=True),)
    before = manifest.content(wild)
    project.write("lib/a", "b")
    manifest.refresh(["lib/a"])
    assert manifest.content(wild) != before
    (project / "src/l").unlink()
    (project / "src/l").symlink_to("nowhere")
    manifest.refresh(["src/l"])
    assert not manifest.found(wild)
