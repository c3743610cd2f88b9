"""Reading Debian's sources, in all the forms in which machines have them."""

import sys
from pathlib import Path

import pytest

from tests.support.install import CannotInstallError, Source, find_source, install, is_static, sid_source, version

KEY = " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----"

IMAGE = f"""\
Types: deb
# http://snapshot.debian.org/archive/debian/20250520T000000Z
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
Signed-By:
{KEY}
"""

INLINE = f"""\
Types: deb deb-src
URIs: http://m/debian/
Suites: bookworm
Components: main contrib
Signed-By:
{KEY}
"""


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (
            [("debian.sources", IMAGE)],
            Source("http://deb.debian.org/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"),
        ),
        (
            [("x.sources", INLINE)],
            Source("http://m/debian/", f"\n{KEY}"),
        ),
        (
            [("sources.list", "# a\ndeb-src http://s/debian bookworm main\ndeb http://m/debian bookworm main x # b\n")],
            Source("http://m/debian", ""),
        ),
        (
            [("sources.list", "deb [arch=amd64 signed-by=/k.gpg] https://m/debian stable main\n")],
            Source("https://m/debian", "/k.gpg"),
        ),
        (
            [
                ("node.list", "deb https://deb.nodesource.com/node_18.x bookworm main\n"),
                ("docker.list", "deb [signed-by=/d.asc] https://download.docker.com/linux/debian bookworm stable\n"),
                ("off.sources", "Enabled: no\n" + INLINE),
                ("z.list", "deb mirror+file:/etc/apt/mirrors/debian.list bookworm main\n"),
            ],
            Source("mirror+file:/etc/apt/mirrors/debian.list", ""),
        ),
        ([("security.list", "deb http://m/debian-security bookworm main\n")], None),
        ([], None),
    ],
)
def test_finds_the_main_archive(files: list[tuple[str, str]], found: Source | None) -> None:
    assert find_source(files, "bookworm") == found


def test_the_second_source_has_the_same_mirror_and_key() -> None:
    assert sid_source(Source("http://m/debian", "/k.gpg")) == (
        "Types: deb\nURIs: http://m/debian\nSuites: sid\nComponents: main\nSigned-By: /k.gpg\n"
    )
    inline = sid_source(Source("http://m/debian", f"\n{KEY}"))
    assert inline.endswith(f"Components: main\nSigned-By:\n{KEY}\n")
    # It reads back as it was written.
    assert find_source([("x.sources", inline.replace("sid", "bookworm"))], "bookworm") == Source(
        "http://m/debian", f"\n{KEY}"
    )


def test_version_of_what_is_not_there_is_older_than_any() -> None:
    assert version(None) == () < (0, 1)
    assert version("/no/such/program") == ()
    assert version(sys.executable) >= (3, 11)


def test_is_static(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n")
    assert not is_static(text)
    assert not is_static(tmp_path / "missing")


@pytest.mark.parametrize(
    ("release", "said"), [("fedora", "can do so only on Debian"), ("debian", "run this as root, who can install them")]
)
def test_says_in_one_sentence_what_to_do(release: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.install.missing", lambda screenshots: ["docker.io/sid", "tmux"])
    monkeypatch.setattr("tests.support.install._release", lambda: {"ID": release})
    monkeypatch.setattr("shutil.which", lambda *words, **more: "/usr/bin/apt-get")
    monkeypatch.setattr("os.geteuid", lambda: 1000, raising=False)
    with pytest.raises(CannotInstallError, match=said) as caught:
        install()
    assert "docker.io, tmux" in str(caught.value)
