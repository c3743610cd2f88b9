"""The targets of a settings file: what they mean, and what is said of a wrong one, with its line."""

from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hitmiss.errors import UsageError
from hitmiss.project import ignore
from hitmiss.settings import Secret, Settings, Target, Watch, load, warnings
from hitmiss.settings_rules import SETTINGS, WrongError, check

WHOLE = """\
watch = { ignore = ["docs/**"] }

[targets.builder]
context = "."
dockerfile = "docker/dockerfile.dev"
target = "builder"
tags = ["voice:builder-{version}", "voice:{branch}-builder", "voice:latest-builder"]
platforms = ["linux/amd64"]
triggers = ["pyproject.toml", "uv.lock"]

[targets.app]
needs = ["builder"]
args = { BUILDER_IMAGE = "voice:latest-builder", PYTHON = 3.10, COUNT = 1_000, DEBUG = true }
secrets = { pip = { env = "PIP_CREDENTIALS" }, key = { file = "secrets/key" } }
contexts = { shared = "../shared", base = "target:builder" }
tags = ["voice:latest"]
cache-from = ["type=registry,ref=localhost:5000/cache"]
cache-to = ["type=inline"]
push = false
load = true
outputs = []
labels = { "org.example.team" = "web" }
triggers = ["Dockerfile", "main.py", "plugins/**"]
"""


def said(text: str, folder: Path, name: str = "hitmiss.toml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load(folder)
    return str(caught.value).removeprefix(f"{folder}/")


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "hitmiss.toml").write_text(WHOLE)
    settings = load(tmp_path)
    assert settings.watch == Watch(("docs/**",))
    assert list(settings.targets) == ["builder", "app"]
    assert settings.targets["builder"] == Target(
        dockerfile="docker/dockerfile.dev",
        target="builder",
        tags=("voice:builder-{version}", "voice:{branch}-builder", "voice:latest-builder"),
        platforms=("linux/amd64",),
        triggers=("pyproject.toml", "uv.lock"),
    )
    assert settings.targets["app"] == Target(
        needs=("builder",),
        args={"BUILDER_IMAGE": "voice:latest-builder", "PYTHON": "3.10", "COUNT": "1000", "DEBUG": "true"},
        secrets={"pip": Secret(env="PIP_CREDENTIALS"), "key": Secret(file="secrets/key")},
        contexts={"shared": "../shared", "base": "target:builder"},
        tags=("voice:latest",),
        cache_from=("type=registry,ref=localhost:5000/cache",),
        cache_to=("type=inline",),
        load=True,
        labels={"org.example.team": "web"},
        triggers=("Dockerfile", "main.py", "plugins/**"),
    )


def test_the_same_in_pyproject(tmp_path: Path) -> None:
    (tmp_path / "hitmiss.toml").write_text(WHOLE)
    own = load(tmp_path)
    (tmp_path / "hitmiss.toml").unlink()
    moved = WHOLE.replace("[targets.", "[tool.hitmiss.targets.")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.hitmiss]\n' + moved)
    assert load(tmp_path) == own
    assert said("[project]\n\n[tool.hitmiss.targets.app]\npush = 1\n", tmp_path, "pyproject.toml") == (
        "pyproject.toml:4: targets.app.push = 1 is not allowed. It takes true or false."
    )


KEYS = (
    "context, dockerfile, target, needs, args, secrets, contexts, tags, platforms, cache-from, cache-to, push, load, "
    "outputs, labels, triggers"
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[targets.app]\n\nneed = ['x']", f"3: targets.app.need is no setting. Did you mean needs? Allowed: {KEYS}."),
        ("[targets.app]\ncache_from = []", "2: targets.app.cache_from is no setting. Did you mean cache-from? Allow"),
        ("[targets.app]\nzzz = 1", f"2: targets.app.zzz is no setting. Allowed: {KEYS}."),
        ("\nsettel = 5", "2: settel is no setting. Did you mean settle? Allowed: on-change, settle, theme, keys, "),
        ("theme = ''\nkeys = {a = ['x']}", '2: keys.a cannot be a list. It takes a key or keys ("f5,r").'),
        ("theme = ''\nsettle = 70000", "2: settle = 70000 is not allowed. It takes a whole number of milliseconds"),
        ("settle = 1.50", "1: settle = 1.50 is not allowed."),
        ("settle = true", "1: settle = true is not allowed."),
        ("on-change = 'now'", "1: on-change = 'now' is not allowed. It takes restart, queue or manual."),
        ("watch = ['docs']", '1: watch cannot be a list. It takes a table: watch = { ignore = ["docs/**"] }.'),
        ("[watch]\nignored = []", "2: watch.ignored is no setting. Did you mean ignore? Allowed: ignore."),
        ("[watch]\nignore = [\n'a',\n'b[']", "4: watch.ignore[1] has a pattern that cannot be read: 'b['. It takes"),
        ("targets = 1", "1: targets = 1 is not allowed. It takes a table of targets: [targets.NAME]."),
        ("[[targets]]\nname = 'app'", "1: targets cannot be a list. It takes a table of targets"),
        ("[targets]\napp = 'x'", "2: targets.app = 'x' is not allowed. It takes a table: [targets.NAME]."),
        ("[targets.'my app']", "1: targets.'my app' has a name that is not allowed. It takes a table of targets"),
        ("[targets.app]\ncontext = ''", "2: targets.app.context is empty. It takes the path of a folder, or a URL."),
        ("[targets.app]\ntags = 'x'", "2: targets.app.tags = 'x' is not allowed. It takes a list of names"),
        ("[targets.app]\ntags = [\n'a',\n5]", "4: targets.app.tags[1] = 5 is not allowed. It takes a list of names"),
        (
            "targets.app.tags = ['a:{user}']",
            "1: targets.app.tags[0] has a placeholder that is not known: '{user}'. It takes a list of names of the "
            "image; they may hold {branch}, {version}, {sha}, {date}.",
        ),
        ("targets.app.tags = ['a:{}']", "1: targets.app.tags[0] has a placeholder that is not known: '{}'."),
        (
            "targets.app.platforms = ['amd64 ']",
            "1: targets.app.platforms[0] = 'amd64 ' is not one platform, such as linux/amd64. It takes a list of "
            "platforms, one each (linux/amd64).",
        ),
        ("[targets.a]\n[targets.app]\nneeds = ['b']", "3: targets.app.needs[0] = 'b' is no target. Targets: a, app."),
        ("[targets.a]\ncontexts = {x = 'target:b'}", "2: targets.a.contexts.x = 'target:b' is no target. Targets: a."),
        ("[targets.a.args]\n'A=B' = 1", "2: targets.a.args.'A=B' has a name that is not allowed. It takes a table of"),
        ("[targets.a.args]\nA = 1979-05-27", "2: targets.a.args.A has a value that is not allowed. It takes text, a "),
        ("[targets.a.args]\nA = ['v3ry']", "2: targets.a.args.A cannot be a list. It takes text, a number, true"),
        ("[targets.a]\nsecrets = ['v3ry']", "2: targets.a.secrets cannot be a list. It takes a table of secrets, each"),
        ("[targets.a.secrets.x]\nvalue = 'v3ry'", "2: targets.a.secrets.x.value is no setting. Allowed: env, file."),
        ("[targets.a.secrets]\nx = { }", "2: targets.a.secrets.x names no place, or two. It takes the place of"),
        ("[targets.a.secrets]\nx = {env='A', file='b'}", "2: targets.a.secrets.x names no place, or two."),
        ("[targets.a.secrets]\nx = {env='v3ry-$ecret'}", "2: targets.a.secrets.x.env is no name of an environment"),
        ("[targets.a.secrets]\nx = {env=5}", "2: targets.a.secrets.x.env has a value that is not allowed."),
        ("theme = 'x'\n\nsettle = ", "3 is not TOML"),
    ],
)
def test_a_wrong_setting_is_told_with_its_line_and_what_is_allowed(text: str, wanted: str, tmp_path: Path) -> None:
    sentence = said(text, tmp_path)
    assert sentence.startswith(f"hitmiss.toml:{wanted}")
    assert "v3ry" not in sentence
    assert sentence.endswith(".")


def test_a_secret_that_is_written_out_is_refused_and_not_repeated(tmp_path: Path) -> None:
    assert said("[targets.app]\nsecrets = { pip = 'hunter2' }", tmp_path) == (
        "hitmiss.toml:2: targets.app.secrets.pip is written out, and a secret's value never belongs in a file that "
        'others read. It takes the place of the secret: { env = "NAME" } or { file = "path" }.'
    )


def test_the_users_own_file_has_no_targets(tmp_path: Path) -> None:
    user = tmp_path / "user.toml"
    user.write_text('theme = "nord"\n[targets.app]\n')
    with pytest.raises(UsageError, match=r"user\.toml:2: targets belong to a project\."):
        load(tmp_path, user)


def test_what_is_odd_is_shown_without_its_control_characters(tmp_path: Path) -> None:
    sentence = said('"\\u001b[31m" = 1', tmp_path)
    assert sentence.startswith(r"hitmiss.toml:1: '\x1b[31m' is no setting.")
    assert "longlong… is no setting." in said(f"{'long' * 100} = 1", tmp_path)
    assert "…" in said(f'on-change = "{"long" * 100}"', tmp_path)


def test_a_literal_that_looks_secret_is_warned_of() -> None:
    app = Target(args={"PIP_TOKEN": "x", "VERSION": "3", "PASSWORD": ""})
    assert warnings(Settings(targets={"app": app})) == (
        "targets.app.args.PIP_TOKEN looks like a secret, and whoever has the image can read an argument: give it by "
        "[targets.app.secrets].",
    )
    assert warnings(Settings()) == ()


def test_a_long_file_is_judged_at_once(tmp_path: Path) -> None:
    table = '[targets.t{}]\ntags = [\n  "a",\n  "b",\n]\nargs = {{ A = "1" }}\n'
    start = perf_counter()
    assert said("".join(table.format(at) for at in range(200)) + "pusch = true\n", tmp_path).startswith(
        "hitmiss.toml:1201: targets.t199.pusch is no setting. Did you mean push?"
    )
    assert perf_counter() - start < 3


@example("!/.")
@example("[b-a]")
@example("[a-[]")
@example("[^]-a]")
@given(st.text(alphabet="ab[]^-\\/.", min_size=1, max_size=8) | st.text(alphabet="ab*?!/. ", min_size=1, max_size=8))
def test_a_pattern_is_refused_where_the_watch_could_not_read_it(pattern: str) -> None:
    try:
        check({"watch": {"ignore": [pattern]}}, SETTINGS)
    except WrongError:
        return
    ignore.parse(pattern)
