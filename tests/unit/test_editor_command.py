"""The command that opens the user's editor at a line."""

import pytest

from hitmiss.ui.editor import command


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, ["vi", "+7", "/a b/Dockerfile"]),
        ({"EDITOR": "nano"}, ["nano", "+7", "/a b/Dockerfile"]),
        ({"EDITOR": "nano", "VISUAL": "vim -R"}, ["vim", "-R", "+7", "/a b/Dockerfile"]),
        ({"VISUAL": "", "EDITOR": "emacs -nw"}, ["emacs", "-nw", "+7", "/a b/Dockerfile"]),
        ({"VISUAL": "code --wait"}, ["code", "--wait", "--goto", "/a b/Dockerfile:7"]),
        ({"VISUAL": "'/opt/my apps/code'"}, ["/opt/my apps/code", "--goto", "/a b/Dockerfile:7"]),
        ({"VISUAL": "hx"}, ["hx", "/a b/Dockerfile:7"]),
        ({"VISUAL": "   "}, ["vi", "+7", "/a b/Dockerfile"]),
    ],
)
def test_command(variables: dict[str, str], words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert command("/a b/Dockerfile", 7) == words


def test_quotes_that_do_not_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "vim 'oops")
    with pytest.raises(ValueError, match="quotation"):
        command("Dockerfile", 1)
