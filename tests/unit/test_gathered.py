"""The contexts of several targets, watched as one."""

from __future__ import annotations

from pathlib import Path

from hitmiss.project.context import Contexts, resolve
from hitmiss.project.gathered import Gathered
from hitmiss.project.watch import Change, Kind


def folder(path: Path, *files: str) -> Path:
    for name in files or ("Dockerfile",):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("*.log\n" if name.endswith("ignore") else "FROM x\n")
    return path


def contexts(path: Path, dockerfile: str = "Dockerfile", **named: str) -> Contexts:
    return resolve(".", dockerfile=str(path / dockerfile), named=named, cwd=path)


def name_of(gathered: Gathered, path: Path) -> str:
    return next(name for name, each in gathered.folders() if each == path)


def saved(gathered: Gathered, path: Path, file: str, *, definition: bool = False) -> list[tuple[str, str]]:
    told = gathered.told(Change(Kind.MODIFIED, name_of(gathered, path), file, definition=definition))
    return sorted((target, change.context) for target, change in told)


def test_a_sole_target_keeps_its_names(tmp_path: Path) -> None:
    folder(tmp_path / "lib", "a")
    gathered = Gathered({"": contexts(folder(tmp_path), lib="lib")})
    assert dict(gathered.folders()) == {"": tmp_path, "lib": tmp_path / "lib"}
    assert saved(gathered, tmp_path, "x") == [("", "")]


def test_a_folder_that_several_read_is_watched_once_and_told_to_each(tmp_path: Path) -> None:
    shared = folder(tmp_path / "shared", "a")
    web, api = folder(tmp_path / "web"), folder(tmp_path / "api")
    gathered = Gathered({"web": contexts(web, lib=str(shared)), "api": contexts(api, code=str(shared))})
    assert sorted(path for _, path in gathered.folders()) == [api, shared, web]
    assert saved(gathered, shared, "a") == [("api", "code"), ("web", "lib")]
    assert saved(gathered, web, "a") == [("web", "")]


def test_other_ignore_rules_make_another_context(tmp_path: Path) -> None:
    folder(tmp_path, "a.Dockerfile", "b.Dockerfile", "b.Dockerfile.dockerignore")
    gathered = Gathered({"a": contexts(tmp_path, "a.Dockerfile"), "b": contexts(tmp_path, "b.Dockerfile")})
    assert [path for _, path in gathered.folders()] == [tmp_path, tmp_path]
    rules = gathered.rules()
    assert sorted(rule.ignores("x.log") for rule in rules.values()) == [False, True]


def test_a_dockerfile_is_a_definition_of_its_own_target_alone(tmp_path: Path) -> None:
    folder(tmp_path, "a.Dockerfile", "b.Dockerfile", ".dockerignore")
    gathered = Gathered({"a": contexts(tmp_path, "a.Dockerfile"), "b": contexts(tmp_path, "b.Dockerfile")})
    assert len(gathered.folders()) == 1
    assert saved(gathered, tmp_path, "a.Dockerfile", definition=True) == [("a", "")]
    assert saved(gathered, tmp_path, "a.Dockerfile") == [("a", ""), ("b", "")]
    assert saved(gathered, tmp_path, ".dockerignore", definition=True) == [("a", ""), ("b", "")]


def test_a_dockerfile_outside_its_context(tmp_path: Path) -> None:
    code = folder(tmp_path / "code", "main")
    docker = folder(tmp_path / "docker", "a.Dockerfile", "b.Dockerfile")
    gathered = Gathered(
        {
            name: resolve("code", dockerfile=str(docker / f"{name}.Dockerfile"), named={}, cwd=tmp_path)
            for name in ("a", "b")
        }
    )
    assert saved(gathered, code, str(docker / "b.Dockerfile"), definition=True) == [("b", "")]


def test_the_names_stay_when_a_target_goes(tmp_path: Path) -> None:
    folder(tmp_path, "a.Dockerfile", "b.Dockerfile", "c.Dockerfile")
    all_three = {name: contexts(tmp_path, f"{name}.Dockerfile") for name in "abc"}
    two = {name: all_three[name] for name in "bc"}
    assert Gathered(all_three).folders() == Gathered(two).folders(), "nothing is to be watched anew"


def test_the_files_that_say_what_the_targets_are_are_of_no_target(tmp_path: Path) -> None:
    bake = tmp_path / "docker-bake.hcl"
    gathered = Gathered({"a": contexts(folder(tmp_path)), "b": contexts(tmp_path)}, [bake])
    (name,) = [name for name, path in gathered.definitions() if path == bake]
    change = Change(Kind.MODIFIED, name, str(bake), definition=True)
    assert gathered.of_files(change)
    assert gathered.told(change) == []
    assert not gathered.of_files(Change(Kind.MODIFIED, name_of(gathered, tmp_path), "x"))
