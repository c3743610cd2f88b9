"""Why a step ran or did not, in sentences: a build's causes and plan made lines that a screen or a terminal can draw.

Pure: values in, values out, no colours. All text from outside has gone through `plain`.
"""

from hitmiss.explain.lines import Line, Part, Role, change_words, sign_of, text_of
from hitmiss.explain.mounts import mounts
from hitmiss.explain.plain_words import plain_words
from hitmiss.explain.reasons import difference, failure, headline, place, reason, verdict_word, whole
from hitmiss.explain.summary import short, summary

__all__ = [
    "Line",
    "Part",
    "Role",
    "change_words",
    "difference",
    "failure",
    "headline",
    "mounts",
    "place",
    "plain_words",
    "reason",
    "short",
    "sign_of",
    "summary",
    "text_of",
    "verdict_word",
    "whole",
]
