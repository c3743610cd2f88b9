"""Settings files, key by key; and what is said of a wrong one."""

from pathlib import Path
from typing import Any

import pytest

from hitmiss.errors import UsageError
from hitmiss.settings import OPTIONS, BuildOptions, Option, Settings, load, looks_secret


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def test_without_files(folder: Path) -> None:
    assert load(folder) == Settings(on_change="restart", settle=100, theme="", keys={})
    assert load(folder, folder / "missing.toml") == Settings()


def test_the_projects_own_file(folder: Path) -> None:
    (folder / "hitmiss.toml").write_text(
        'on-change = "queue"\nsettle = 250\ntheme = "hitmiss-light"\n[keys]\nrebuild = "f5,r"\n'
    )
    assert load(folder) == Settings("queue", 250, "hitmiss-light", {"rebuild": "f5,r"})


def test_a_table_of_pyproject(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.hitmiss]\nsettle = 7\nkeys = {quit = "x"}\n')
    assert load(folder) == Settings(settle=7, keys={"quit": "x"})


def test_the_own_file_comes_before_pyproject(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.hitmiss]\nsettle = 7\n")
    (folder / "hitmiss.toml").write_text('theme = "nord"\n')
    assert load(folder) == Settings(theme="nord")


def test_the_project_wins_over_the_user_key_by_key(folder: Path) -> None:
    user = folder.parent / "user.toml"
    user.write_text('on-change = "manual"\nsettle = 500\n[keys]\nquit = "x"\nrebuild = "b"\n')
    (folder / "hitmiss.toml").write_text('on-change = "restart"\n[keys]\nrebuild = "f5"\n')
    assert load(folder, user) == Settings("restart", 500, "", {"quit": "x", "rebuild": "f5"})
    assert load(folder.parent, user) == Settings("manual", 500, "", {"quit": "x", "rebuild": "b"})


@pytest.mark.parametrize(
    "text", ["not [toml", "[project]\nname = 5", "[tool]\nruff = 1", '[tool.other]\nx = "hitmiss"']
)
def test_a_pyproject_that_does_not_speak_of_hitmiss(text: str, folder: Path) -> None:
    (folder / "pyproject.toml").write_text(text)
    assert load(folder) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("settel = 5", "settel is no setting. Did you mean settle? Allowed: on-change, settle, theme, keys, watch,"),
        ("on_change = 'queue'", "on_change is no setting. Did you mean on-change? Allowed: on-change, settle,"),
        ("on-change = 'never'", "on-change = 'never' is not allowed. It takes restart, queue or manual."),
        ("settle = -1", "settle = -1 is not allowed. It takes a whole number of milliseconds from 0 to 60000."),
        ("settle = '1'", "settle = '1' is not allowed. It takes a whole number"),
        ("settle = 60001", "settle = 60001 is not allowed. It takes a whole number"),
        ("theme = 5", "theme = 5 is not allowed. It takes the name of a theme."),
        ("keys = 'r'", "keys = 'r' is not allowed. It takes a table of actions and keys"),
        ("keys = {rebuild = 5}", "keys.rebuild = 5 is not allowed. It takes a key or keys"),
        ("settle = ", "is not TOML"),
        ("\udcff", "is not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_the_key_and_what_it_takes(text: str, said: str, folder: Path) -> None:
    own, user = folder / "hitmiss.toml", folder.parent / "user.toml"
    shared = folder / "pyproject.toml"
    table = "[tool.hitmiss]\n" + text
    for path, content in ((own, text), (user, text), (shared, table)):
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(UsageError) as caught:
            load(folder, user if path == user else None)
        assert str(path) in str(caught.value)
        assert said in str(caught.value)
        path.unlink()


def test_what_cannot_be_read(folder: Path) -> None:
    (folder / "hitmiss.toml").mkdir()
    (folder / "pyproject.toml").mkdir()
    assert load(folder) == Settings(), "folders of these names are no settings"
    with pytest.raises(UsageError, match=r"cannot be read: Is a directory\. Mend the file"):
        load(folder, folder)
    (folder / "pyproject.toml").rmdir()
    (folder / "pyproject.toml").write_text("tool.hitmiss = 5\n")
    with pytest.raises(UsageError, match=r"tool.hitmiss is no table"):
        load(folder)


# --- the options of docker build --------------------------------------------------------


def test_no_option_is_added() -> None:
    assert BuildOptions().arguments() == ["."]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_each_option_is_passed_as_it_was_given(option: Option) -> None:
    given: dict[str, Any] = {"text": "a b,c=-d", "list": ("a b,c=-d", "--x", ""), "switch": True}
    words = BuildOptions(**{option.field: given[option.kind]}).arguments()
    wanted = {
        "text": [option.flag, "a b,c=-d"],
        "list": [option.flag, "a b,c=-d", option.flag, "--x", option.flag, ""],
        "switch": [option.flag],
    }[option.kind]
    assert words == [*wanted, "."]


@pytest.mark.parametrize(
    ("context", "words"),
    [("-", ["-"]), ("-odd", ["--", "-odd"]), ("a b", ["a b"]), ("https://x/y.git#z", ["https://x/y.git#z"])],
)
def test_the_context_comes_last(context: str, words: list[str]) -> None:
    assert BuildOptions(context=context, pull=True).arguments() == ["--pull", *words]


def test_platforms_one_each() -> None:
    assert BuildOptions(platforms=("a,b", "c", "")).platform_list() == ("a", "b", "c")


def test_named_contexts() -> None:
    assert BuildOptions(build_contexts=("a=../b", "c=https://x?y=z", "odd")).named_contexts() == {
        "a": "../b",
        "c": "https://x?y=z",
    }


def test_values_of_build_arguments() -> None:
    options = BuildOptions(build_args=("A=1=2", "B", "C", "D=", "A=3"))
    assert options.argument_values({"B": "b", "A": "no"}) == {"A": "3", "B": "b", "D": ""}


BUILDKITS = ("apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token")
"""The words of BuildKit's own check (`getSecretsRegex`)."""


@pytest.mark.parametrize("word", BUILDKITS)
def test_names_that_buildkit_takes_for_secrets(word: str) -> None:
    for name in (word, word.upper(), f"MY_{word.upper()}", f"{word}_OF_MINE", f"A_{word}_B"):
        assert looks_secret(name)
    for open_name in (f"PUBLIC_{word}", f"{word}_FILE", f"{word}_version"):
        assert not looks_secret(open_name)


@pytest.mark.parametrize(
    "name",
    ["PASSWORD", "db_passwd", "GITHUB_TOKEN", "ApiKey", "APIKey", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "auth",
     "SSH_KEY", "STRIPE_KEY", "KEY", "DB_PWORD", "DB_PASS", "DB_PWD", "GITHUB_PAT", "PGPASSWORD", "dbPassword",
     "TOKEN2", "API_TOKENS", "TS_AUTHKEY", "OAUTH2", "BASIC_AUTHENTICATION", "GPG_PASSPHRASE", "npm-token"],
)  # fmt: skip
def test_names_that_look_secret(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    ["", "VERSION", "PYTHON", "BASE", "KEYBOARD", "MONKEY", "USER", "PWD", "TOKENIZERS_PARALLELISM", "COMPASS_DIR",
     "BYPASS", "PASSENGER_VERSION", "AUTHOR", "SECRETARY", "GOPRIVATE", "PATH", "TOKEN_VERSION"],
)  # fmt: skip
def test_names_that_do_not(name: str) -> None:
    assert not looks_secret(name)
