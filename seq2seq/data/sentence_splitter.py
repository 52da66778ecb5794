"""The sentences of a line: sentencex, which knows the marks and abbreviations of many languages, and what it misses."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from sentencex import segment

from seq2seq.languages import language

WINDOW = 1000  # characters that sentencex reads at once: its time grows with their square
SURROGATES = re.compile("[\ud800-\udfff]")
STOPS = frozenset(".!?")
CERTAIN = "।॥။។៕།༎᙮᠃᠉۔。｡"  # full stops that always end a sentence
FULL_STOPS = frozenset(f".።։{CERTAIN}")
CLOSERS = r"[\"'”’»›)\]）」』】〉》]"
OPENERS = re.compile(r"(?:[“„‘«‹(\[（「『【〈《¿¡]|(?<=\s)[\"'])+\s*$")
PAIRED = re.compile(r"[\"“”„«»()\[\]（）「」『』‘’]|(?<!\w)'|'(?!\w)")  # between two of them sentencex ends nothing
BRACKETS = (")", "]", "）")  # after these a sentence may be short
SEMICOLON = re.compile(r"(?<!&\w\w)(?<!&\w\w\w)(?<!&\w\w\w\w)[;؛]\s+|；")  # but that of &amp;
ELLIPSIS = re.compile(rf"…{CLOSERS}*\s+")
MARKS = re.compile(rf"[{CERTAIN}！？]+{CLOSERS}*\s*")
TITLES = frozenset(
    re.findall("[a-z]+", "mr mrs ms dr prof hr fr frl mme mlle mgr sr sra srta sgt gen capt lt col rev hon st mt")
)
SHORTENED = frozenset(
    re.findall("[a-z]+", "approx ca bzw vs etc usw nr dept fig vol vgl sog ggf inkl evtl ung tel max min")
)
NAMED = {"fr": frozenset({"m", "mm"}), "ru": frozenset({"т", "е"}), "uk": frozenset({"т", "е"})}
NOUNS_AFTER_ORDINALS = frozenset({"de"})  # with capitals, as a sentence would begin
ORDINALS = frozenset(  # languages where 3. is the third
    re.findall("[a-z]+", "bs cs da de et fi fo hr hu is lb lv nb nn no pl sk sl sr tr")
)
WORDS, LETTERS = 3, 4  # that a sentence in quotes or brackets has, to be one by itself: of those without spaces letters


def sentences(text: str, code: str) -> list[str]:
    """The sentences of a line, each with the spaces after it: joined they are the line. None for an empty line.

    A semicolon ends a sentence if at least three words are on both sides. `Mr. Smith`, `d. h.`, `3.50`, `am 3. Mai` and
    `No. 5` end no sentence. Time is linear in the length.

        >>> sentences("A dog runs. Mr. Smith sleeps.", "en")
        ['A dog runs. ', 'Mr. Smith sleeps.']
    """
    return list(_whole(_pieces(text, language(code).language)))


def _pieces(text: str, language: str) -> Iterator[list[str]]:
    """Sentences, in the parts that windows cut them into."""
    begin, pending = 0, list[str]()
    while begin < len(text):
        result = _sentences(text[begin : begin + WINDOW], language)
        done = result if begin + WINDOW >= len(text) else result[:-1]
        for one in done:
            yield [*pending, one]
            pending = []
        if not done:
            pending.append(result[0])
        begin += sum(map(len, done or result))
    if pending:
        yield pending


def _whole(parts: Iterator[list[str]]) -> Iterator[str]:
    """Sentences; text without letters joins the one before it, the number of a list item the one after it."""
    pending, spoken = list[str](), False
    for part in parts:
        one = "".join(part)
        if spoken and any(map(str.isalnum, one)):
            yield "".join(pending)
            pending, spoken = [], False
        pending.append(one)
        spoken = spoken or any(map(str.isalpha, one))
    if pending:
        yield "".join(pending)


def _sentences(text: str, language: str) -> list[str]:
    """Those of a window."""
    ends = {end for end in _ends(text, language) if not _continues(text, end, language)}
    ends.update(match.end() for match in MARKS.finditer(text))
    ends.update(match.end() for match in ELLIPSIS.finditer(text) if text[match.end() : match.end() + 1].isupper())
    result = []
    for begin, end in pairwise(sorted({0, *ends, len(text)})):
        for one in _unquoted(text[begin:end], language):
            result += _main_clauses(one)
    return result


def _ends(text: str, language: str) -> Iterator[int]:
    """Where sentencex ends sentences."""
    end = 0
    for one in segment(language, SURROGATES.sub("\ufffd", text)):
        end += len(one)
        yield end


def _unquoted(text: str, language: str) -> list[str]:
    """A sentence, or those of a quotation or of brackets, where they are long enough to be translated apart."""
    if len(PAIRED.findall(text)) < 2 or not _substantial(text):
        return [text]
    plain = PAIRED.sub(" ", text)
    begin, result = 0, []
    for end in _ends(plain, language):
        if _continues(plain, end, language) or text[end : end + 1].islower():
            continue
        if opening := OPENERS.search(text, begin, end):
            end = opening.start() if opening.start() > begin else end
        closed = text[begin:end].rstrip()[-1:] in BRACKETS
        if closed or (_substantial(text[begin:end]) and _substantial(text[end:])):
            result.append(text[begin:end])
            begin = end
    return [*result, text[begin:]]


def _main_clauses(text: str) -> list[str]:
    """A sentence, cut at semicolons where both sides are as long as sentences: one by one less of them is lost."""
    begin, result = 0, []
    for match in SEMICOLON.finditer(text):
        if _substantial(text[begin : match.end()]) and _substantial(text[match.end() :]):
            result.append(text[begin : match.end()])
            begin = match.end()
    return [*result, text[begin:]]


def _substantial(text: str) -> bool:
    """Whether it has as much as a sentence needs."""
    return len(text.split()) >= WORDS or sum(unicodedata.category(one) == "Lo" for one in text) >= LETTERS


def _continues(text: str, end: int, language: str) -> bool:
    """Whether sentencex cuts wrongly at this mark: after a title, a number or inside a name.

    `Mme. X`, `3. Mai`, `ASP.NET`; without a space only text such as `said so.Then he` is two sentences.
    """
    before, after = text[max(0, end - 40) : end], text[end : end + 2]
    stripped = before.rstrip()
    if stripped == before and stripped[-1:] in STOPS:  # no space after it
        return not (
            before[-3:-1].isalpha() and before[-3:-1].islower() and after[:1].isupper() and not after[1:].isupper()
        )
    if not stripped.endswith(".") or not after:
        return False
    word = (stripped[:-1].split() or [""])[-1].lstrip("([\"'„“»«")
    if word.isdigit() and len(word) < 3 and language in ORDINALS:
        return after[0].islower() or language in NOUNS_AFTER_ORDINALS
    if word.lower() in TITLES or word.lower() in NAMED.get(language, ()):
        return True
    return (after[0].islower() or after[0].isdigit()) and word.lower() in SHORTENED
