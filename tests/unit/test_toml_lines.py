"""The line of a key: found in texts where words alone would mislead."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitmiss.toml_lines import line_of

AWKWARD = '''\
# [targets.app] and need = 1: words of a comment
theme = "[targets.app]" # need = 2
keys = { rebuild = "need", "a.b" = "x" }
targets.dotted.tags = ["need = 3"]
targets . "my app" . 'args' . A = 1

[ targets . "a\\u0070p" ] # the quoted name is app
"ne\\u0065d" = "here"
tags = [
  "one", # need
  """
need = 4
[targets.app]
""", "three",
  'four' ]
text = """
[targets.late]
need = 5
"""

[[list]]
a = 1
[[list]]
b = [[1,
  2], [3,
  4]]
[targets.late.args]
X = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("theme",), 2),
        (("keys", "a.b"), 3),
        (("targets",), 4),
        (("targets", "dotted", "tags", 0), 4),
        (("targets", "my app", "args", "A"), 5),
        (("targets", "app"), 7),
        (("targets", "app", "need"), 8),
        (("targets", "app", "tags"), 9),
        (("targets", "app", "tags", 0), 10),
        (("targets", "app", "tags", 1), 11),
        (("targets", "app", "tags", 2), 14),
        (("targets", "app", "tags", 3), 15),
        (("targets", "app", "text"), 16),
        (("targets", "late"), 27),
        (("targets", "late", "args", "X"), 28),
        (("list", 0), 21),
        (("list", 1, "b"), 24),
        (("list", 1, "b", 0, 1), 25),
        (("list", 1, "b", 1, 1), 26),
        (("targets", "app", "gone"), 7),
        (("gone", "gone"), 0),
        ((), 0),
    ],
)
def test_awkward_texts(path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(AWKWARD)
    assert line_of(AWKWARD, path) == line
    assert line_of(AWKWARD.replace("\n", "\r\n"), path) == line


WORDS = st.sampled_from(["a", "b", "c d", "#", "[a]", "a.b", '"', "é"])
KEYS = st.lists(WORDS, min_size=1, max_size=3, unique=True)


def quoted(word: str) -> str:
    return '"' + word.replace('"', '\\"') + '"'


@given(st.lists(st.tuples(KEYS, st.sampled_from(['"x"', '"""\n\n"""', "[\n1,\n[2],\n]", "{ a = 1 }"])), max_size=6))
def test_each_key_of_any_text_is_found_where_it_was_written(entries: list[tuple[list[str], str]]) -> None:
    text, places = "", dict[tuple[str, ...], int]()
    for number, (keys, value) in enumerate(entries):
        line = text.count("\n") + 1
        path = (f"k{number}", *keys)
        places[path] = line
        text += f"{'.'.join(map(quoted, path))} = {value} # {quoted('b')} = 1\n"
    whole: Any = tomllib.loads(text)
    assert len(whole) == len(entries)
    for path, line in places.items():
        assert line_of(text, path) == line
