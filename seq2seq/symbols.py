"""The ids every vocabulary starts with, and the spelling of the language tags that follow them."""

PAD = 0
UNK = 1
BOS = 2
EOS = 3
IGNORED = frozenset({PAD, BOS, EOS})  # never part of a line's text


def tag(language: str) -> str:
    """The control symbol that asks for `language`: `tag("de") == "<2de>"`."""
    return f"<2{language}>"
