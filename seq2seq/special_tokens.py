"""The ids every vocabulary starts with, and how the tags that follow are spelt: of languages, then of source lines."""

from collections.abc import Sequence

PAD = 0
UNK = 1
BOS = 2
EOS = 3
IGNORED = frozenset({PAD, BOS, EOS})  # never part of a line's text


def tag(language: str) -> str:
    """The control symbol that asks for `language`: `tag("de") == "<2de>"`."""
    return f"<2{language}>"


def source_tag(name: str) -> str:
    """How a source line of some kind begins, before a space: `source_tag("BT") == "<BT>"`."""
    return f"<{name}>"


def framed(first: int, ids: Sequence[int]) -> list[int]:
    """A row of a batch: a tag or BOS, a line's pieces, EOS."""
    return [first, *ids, EOS]
