"""Language codes as people write them, and the properties of languages: one table for all parts of the toolkit.

    writing("zh_CN") == writing("zho") == writing("yue")     # no spaces between words, sacreBLEU's tokenizer zh
    writing("ja-Latn").unspaced                              # False: the script decides, not the language
    matching("zho", ["en", "zh"])                            # ["zh"]: the known code of this language

Files, tags and directions keep the code that the user wrote; only look-ups use its canonical form (BCP 47, by
`langcodes`). A string that is no code, such as `text` or `xx`, is a language with spaces between its words.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

ALIASES = {"jp": "ja", "cn": "zh", "cz": "cs", "gr": "el", "ua": "uk", "dk": "da"}  # countries, written for languages
ALIASES |= {"nb": "no", "zh-classical": "lzh"}
CHINESE = re.findall(r"\w+", "cdo cjy cmn cnp cpx csp czh czo gan hak hsn lzh mnp nan wuu yue zh")
NOWHERE = ("XX", "ZZ")  # written where a code must have a territory: ja_XX


class Writing(NamedTuple):
    """How words are written, and so how they are counted.

    unspaced: no spaces between words. gap: what parts two sentences. bleu: sacreBLEU's tokenizer. ter: what TER
    compares: words, words with CJK characters split (TER's asian_support), or characters.
    """

    unspaced: bool
    gap: str
    bleu: Literal["13a", "zh", "ja-mecab", "ko-mecab", "char"]
    ter: Literal["words", "asian", "characters"]


SPACED = Writing(False, " ", "13a", "words")
HAN = Writing(True, "", "zh", "asian")
JAPANESE = Writing(True, "", "ja-mecab", "characters")  # asian_support leaves a run of kana whole
KOREAN = Writing(False, " ", "ko-mecab", "asian")
SOUTH_EAST = Writing(True, " ", "char", "characters")  # spaces part sentences and phrases only
WRITINGS = {  # by ISO 15924 script; all others put spaces between words
    **dict.fromkeys(("Hani", "Hans", "Hant"), HAN),
    **dict.fromkeys(("Jpan", "Hrkt", "Hira", "Kana"), JAPANESE),
    **dict.fromkeys(("Kore", "Hang"), KOREAN),
    **dict.fromkeys(("Khmr", "Lana", "Laoo", "Mymr", "Tale", "Talu", "Thai", "Tibt"), SOUTH_EAST),
}


class Language(NamedTuple):
    """A parsed code: `zh-CN` has language and territory; `usual` is the script that follows from both.

    known: whether it is a code; otherwise `language` is the string itself.
    """

    language: str
    script: str | None
    territory: str | None
    usual: str | None
    known: bool

    @property
    def code(self) -> str:
        """The canonical code: `zh-Hans`."""
        return "-".join(part for part in (self.language, self.script, self.territory) if part)


@lru_cache(maxsize=1024)
def language(code: str) -> Language:
    """A code, however it is spelt: `zh_CN`, `ZH-cn`, `cmn_CN`, `zho_CN` and `zh_CN.UTF-8` are the same language."""
    from langcodes import Language as Tag
    from langcodes import tag_is_valid  # imported here: it takes a sixth of a second

    spelt = _spelt(re.split("[.@]", code)[0])
    unknown = Language(code, None, None, None, False)
    try:
        tag = Tag.get(ALIASES.get(spelt, spelt), normalize=True).prefer_macrolanguage()
    except ValueError:
        return unknown
    name, script = ALIASES.get(tag.language or "", tag.language), tag.script
    territory = None if tag.territory in NOWHERE else tag.territory
    parts = "-".join(part for part in (name, script, territory) if part)
    if not name or tag.extlangs or not tag_is_valid("-".join([parts, *(tag.variants or ())])):  # `en-label` is none
        return unknown
    usual = script or ("Hani" if name in CHINESE and name != "zh" else Tag.get(parts).maximize().script)
    return Language(name, script, territory, usual, True)


@lru_cache(maxsize=1024)
def writing(code: str) -> Writing:
    """How the language is written."""
    return WRITINGS.get(language(code).usual or "", SPACED)


def unspaced(code: str) -> bool:
    """Whether the language is written without spaces between words."""
    return writing(code).unspaced


def is_code(code: str) -> bool:
    """Whether it is a known code."""
    return language(code).known


def same_code(one: str, other: str) -> bool:
    """Whether two codes differ in capitals, `-` and `_` at most."""
    return _spelt(one) == _spelt(other)


def conventional(code: str) -> bool:
    """Whether it is a known code in its usual capitals: `pt-BR`, `zh_Hans`, `en`, but neither `pt-br` nor `EN`."""
    subtags = code.replace("_", "-").split("-")
    spelt = [_capitals(place, subtag) for place, subtag in enumerate(subtags)]
    return language(code).known and subtags == spelt


def matching(code: str, known: Sequence[str]) -> list[str]:
    """The known codes that `code` may mean: one, none or several.

    The same code; else the same with another spelling; else another code of the same language (`zho`, `cmn` and `zh`;
    `zh-CN` and `zh-Hans`); else a more or less specific one (`en` and `en-GB`, never `en-US` and `en-GB`).
    """
    for same in (str.__eq__, same_code, _same_language, _compatible):
        if result := [one for one in known if same(code, one)]:
            return result
    return []


def matching_directions(
    source: str | None, target: str | None, known: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Which of the known directions may be meant, as in `matching`; None fits every language."""
    sources, targets = [one for one, _ in known], [other for _, other in known]
    if source is not None:
        sources = matching(source, sources)
    if target is not None:
        targets = matching(target, targets)
    return [(one, other) for one, other in known if one in sources and other in targets]


def _spelt(code: str) -> str:
    return code.replace("_", "-").lower()


def _capitals(place: int, subtag: str) -> str:
    """As BCP 47 recommends: script `Hans`, territory `CN`, all else in small letters."""
    if place and len(subtag) == 4 and subtag.isalpha():
        return subtag.title()
    return subtag.upper() if place and len(subtag) == 2 else subtag.lower()


def _same_language(one: str, other: str) -> bool:
    first, second = language(one), language(other)
    return first.known and first.code == second.code


def _compatible(one: str, other: str) -> bool:
    """Whether both are the same language: the same script, and at most one territory; or the first has neither."""
    first, second = language(one), language(other)
    if not first.known or first.language != second.language:
        return False
    if not first.script and not first.territory:
        return True
    alike = first.usual == second.usual
    return alike and (first.territory is None or second.territory is None or first.territory == second.territory)
