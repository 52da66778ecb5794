"""One form for what readers take for the same: spaces, quotes, dashes, full-width letters, decomposed and hidden ones.

    source_text("l’eau\u00a0– “１２”")          l'eau - "12"
    target_text("l’eau\u00a0– e\u0301")         l’eau\u00a0– é     what an author wrote, each character in one encoding

A tokenizer with `canonical` passes every line through these functions, in training and in use, in every
language. Source text gets one form of each: full-width letters, digits and signs are those of ASCII, but the full-width
punctuation of Chinese and Japanese stays, because that of ASCII stands beside spaces. Joiners stay where they mean
something: in the scripts of Arabic and India, and in emoji.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

VERSION = 1  # of these rules; a tokenizer records it
# scripts with joiners
JOINING = "\u0600-\u07ff\u0860-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\u1a20-\u1cff"
UNSPACED = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # of a variant of the character before them
HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
)
BLANK = "\u2800\u3164\uffa0"  # look like spaces
WINDOWS = {"\x91": "'", "\x92": "'", "\x93": '"', "\x94": '"', "\x96": "-", "\x97": "-"}  # code page 1252 as Latin-1
PUNCTUATION = {
    **dict.fromkeys("‘’‚‛‹›´ʻʼʽʹ′‵＇❛❜׳", "'"),
    **dict.fromkeys("“”„‟«»″‶〝〞〟＂❝❞״", '"'),
    **dict.fromkeys("‐‑‒–−⁃﹘﹣－־", "-"),
    **dict.fromkeys("…⋯", "..."),
    "‥": "..",
}
SIGNS = frozenset("＃＄％＆＊＋／＜＝＞＠＼＾＿｜￠￡￥￦")  # full-width ones that are no punctuation
COMPATIBLE = frozenset({"<wide>", "<narrow>", "<font>", "<compat>", "<initial>", "<medial>", "<final>", "<isolated>"})
CHILLUS = {"ണ": "ൺ", "ന": "ൻ", "ര": "ർ", "ല": "ൽ", "ള": "ൾ", "ക": "ൿ", "ত": "ৎ"}
HANGUL = re.compile("[\u3131-\u318e\uffa0-\uffdc]")  # single letters, which NFKC would join to syllables
NOT_ASCII = re.compile("[^ -~]")
# Characters that no rule changes: most lines have no others, and are done with at once.
LETTERS = (
    " -~¡-ª¬®-³¶-º¼-ıĴ-ľŁ-ňŊ-žƀ-ǃΆ-ϏЀ-ԯא-ת،؛؟ء-ؿف-يٹ-ۓ٠-٩۰-۹\u0900-\u0963।॥०-९ก-ฺ฿-๛€"
    "ぁ-ゖァ-ヺー。、「」『』《》！？（）；㐀-䶿一-鿿가-힣"
)
USUAL = re.compile(f"(?:[{LETTERS}]++|[．，：](?![0-9]))*+")
WRITTEN = re.compile(f"[{LETTERS}．，：\u00a0\u2009\u202f\u3000«»‘-‟–—―…·•″′]*+")
ARABIC = "\u0620-\u064a\u066e-\u06d3"
IN_EMOJI = r"[^\s\w!-~]"  # a symbol


class TracedText(NamedTuple):
    """A text, and for each of its characters the place of the character in the given text that it comes from."""

    text: str
    origins: Sequence[int]

    @classmethod
    def given(cls, text: str) -> "TracedText":
        """A text that nothing has been done to."""
        return cls(text, range(len(text)))

    def sub(self, pattern: re.Pattern[str], form: Callable[[re.Match[str]], str]) -> "TracedText":
        """As `pattern.sub(form, text)`."""
        return self.replaced((match.start(), match.end(), form(match)) for match in pattern.finditer(self.text))

    def composed(self) -> "TracedText":
        """In the normalisation form C of Unicode: as `unicodedata.normalize("NFC", text)`."""
        if unicodedata.is_normalized("NFC", self.text):
            return self
        units = ((begin, end, self.text[begin:end]) for begin, end in _composing(self.text))
        return self.replaced((begin, end, unicodedata.normalize("NFC", unit)) for begin, end, unit in units)

    def replaced(self, changes: Iterator[tuple[int, int, str]]) -> "TracedText":
        """With replacements for the text from `begin` to `end`, for every (begin, end, text), in order."""
        parts: list[str] = []
        origins: list[int] = []
        done = 0
        for begin, end, new in changes:
            parts += [self.text[done:begin], new]
            origins += self.origins[done:begin]
            origins += [self.origins[min(begin + place, max(begin, end - 1))] for place in range(len(new))]
            done = end
        if not done:
            return self
        return TracedText("".join([*parts, self.text[done:]]), [*origins, *self.origins[done:]])


def around(
    text: str, runs: Sequence[tuple[int, int]], form: Callable[[str], TracedText]
) -> tuple[TracedText, list[tuple[int, int]]]:
    """Applies `form` to a text except for these consecutive runs; returns their new positions too."""
    parts: list[str] = []
    origins: list[int] = []
    places: list[tuple[int, int]] = []
    end = 0
    for begin, after in [*runs, (len(text), len(text))]:
        formed = form(text[end:begin])
        parts += [formed.text, text[begin:after]]
        origins += [end + one for one in formed.origins]
        places.append((len(origins), len(origins) + after - begin))
        origins += range(begin, after)
        end = after
    return TracedText("".join(parts), origins), places[:-1]


def _composing(text: str) -> Iterator[tuple[int, int]]:
    """Where characters with their marks begin and end: nothing is composed across these places."""
    begin = 0
    for place, character in enumerate(text):
        joins = unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"
        if place and not joins:
            yield begin, place
            begin = place
    if text:
        yield begin, len(text)


def source_text(text: str) -> str:
    """A line of source text, in the one form of all that readers take for the same."""
    return text if _matches(USUAL, text) else _applied(text, SOURCE)


def target_text(text: str) -> str:
    """A line of target text: composed (NFC), without hidden characters and controls; typography stays."""
    return text if _matches(WRITTEN, text) else _applied(text, TARGET)


def traced_source(text: str) -> TracedText:
    """`source_text` of a line, with the origin of each character."""
    return TracedText.given(text) if _matches(USUAL, text) else _traced(text, SOURCE)


def traced_target(text: str) -> TracedText:
    """`target_text` of a line, with the origin of each character."""
    return TracedText.given(text) if _matches(WRITTEN, text) else _traced(text, TARGET)


def traced_spaces(text: str) -> TracedText:
    """A line with spaces and hidden characters as in `source_text`, all others unchanged, with their origins.

    For models whose training text was not canonical: they have not learnt such characters.
    """
    return TracedText.given(text) if _matches(USUAL, text) else _traced(text, SPACES)


def traced_line(text: str) -> TracedText:
    """An unchanged line, except that control characters become spaces, so that it is one line."""
    return TracedText.given(text) if _matches(WRITTEN, text) else _traced(text, LINE)


class _Step(NamedTuple):
    """One rule, for a text and for one whose places are kept."""

    apply: Callable[[str], str]
    trace: Callable[[TracedText], TracedText]


class _Forms(dict[int, str]):
    """What each character becomes, worked out when it is first met."""

    def __init__(self, form: Callable[[str], str]) -> None:
        super().__init__()
        self.form = form

    def __missing__(self, code: int) -> str:
        self[code] = form = self.form(chr(code))
        return form


def _matches(unchanged: re.Pattern[str], text: str) -> bool:
    """Whether no rule changes the text."""
    return bool(unchanged.fullmatch(text)) and unicodedata.is_normalized("NFC", text)


def _applied(text: str, steps: Sequence[_Step]) -> str:
    for step in steps:
        text = step.apply(text)
    return text


def _traced(text: str, steps: Sequence[_Step]) -> TracedText:
    return _all(TracedText.given(text), steps)


def _all(traced: TracedText, steps: Sequence[_Step]) -> TracedText:
    for step in steps:
        traced = step.trace(traced)
    return traced


def _each(form: Callable[[str], str]) -> _Step:
    """Every character by itself."""
    forms = _Forms(form)
    return _Step(
        lambda text: text.translate(forms), lambda traced: traced.sub(NOT_ASCII, lambda match: forms[ord(match[0])])
    )


def _where(pattern: str, form: str | Callable[[re.Match[str]], str]) -> _Step:
    """Wherever a pattern is."""
    compiled = re.compile(pattern)
    make = form if callable(form) else lambda match: form
    return _Step(lambda text: compiled.sub(make, text), lambda traced: traced.sub(compiled, make))


def _if_any(characters: str, steps: Sequence[_Step]) -> _Step:
    """Several rules for texts that have one of some characters: for most, one look suffices."""
    some = re.compile(f"[{characters}]")
    return _Step(
        lambda text: _applied(text, steps) if some.search(text) else text,
        lambda traced: traced if not some.search(traced.text) else _all(traced, steps),
    )


def _visible(character: str) -> str:
    """A character without invisible ones; spaces and controls are U+0020, half a surrogate pair is U+FFFD."""
    if character == " " or "!" <= character <= "~":
        return character
    if character in WINDOWS:
        return WINDOWS[character]
    if character.isspace() or character in BLANK or unicodedata.category(character) == "Cc":
        return " "
    return _target_visible(character)


def _target_visible(character: str) -> str:
    """The same, but spaces stay as they were chosen."""
    return "" if HIDDEN.match(character) else _written(character)


def _written(character: str) -> str:
    """A character, or its replacement in a line of UTF-8."""
    if character in "\u2028\u2029" or unicodedata.category(character) == "Cc":
        return WINDOWS.get(character, " ")
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character


def _usual(character: str) -> str:
    """The usual form of a character of source text."""
    if character in PUNCTUATION:
        return PUNCTUATION[character]
    kind = unicodedata.decomposition(character).partition(" ")[0]
    letter = unicodedata.category(character)[0] in "LN" or "\u2e80" <= character <= "\u2fdf" or character in SIGNS
    if kind not in COMPATIBLE or not letter or HANGUL.match(character):
        return character
    form = unicodedata.normalize("NFKC", character)
    split = kind == "<compat>" and unicodedata.category(form[0]) == "Mn"  # Thai AM: its parts are never typed
    return character if " " in form or split else form


COMPOSED = _Step(lambda text: unicodedata.normalize("NFC", text), TracedText.composed)
JOINERS = (
    _where(r"([ണനരലളക])\u0d4d\u200d|(ত)\u09cd\u200d", lambda match: CHILLUS[match[1] or match[2]]),
    _where(rf"(?<!{IN_EMOJI})(?<![{JOINING}])\u200d+|\u200d+(?!{IN_EMOJI})(?<![{JOINING}]\u200d)", ""),
    _where(rf"(?<![{JOINING}])\u200c+|\u200c+(?![{JOINING}])", ""),
    _where(rf"(?<=[^\s/_@=&#\u200b{UNSPACED}-])\u200b+(?=[^\W{UNSPACED}]|[\"'(\[<«„“‘])", " "),  # not inside of links
    _where("\u200b", ""),
    _where(rf"(?<=\w)[{SELECTORS}]+(?!\u20e3)", ""),
    _where("(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0000-\U000e007f]+", ""),
)
JOINED = _if_any(f"\u200b-\u200d{SELECTORS}\U000e0000-\U000e007f", JOINERS)
SPACES = (_each(_visible), JOINED)
SOURCE = (
    _each(_visible),
    COMPOSED,  # the character before a joiner or selector counts as one, in any encoding
    JOINED,
    _if_any(
        "»", [_where(r"(?<!\S)«\s+([^«»]+?)\s+»(?!\w)", lambda match: f'"{match[1]}"')]
    ),  # as the French space them
    COMPOSED,
    _each(_usual),
    COMPOSED,
    _if_any("—―⸺⸻", [_where(r"(?<=\w)[—―⸺⸻]+(?=\w)", " - "), _where("[—―⸺⸻]", "-")]),
    _if_any("．，：", [_where("(?<=[0-9])[．，：](?=[0-9])", lambda match: unicodedata.normalize("NFKC", match[0]))]),
    _if_any("\u0640", [_where(f"(?<=[{ARABIC}])\u0640+(?=[{ARABIC}])", "")]),  # lengthens a word
)
LINE = (_where("^\ufeff", ""), _each(_written))
TARGET = (_each(_target_visible), COMPOSED, JOINED, COMPOSED)
