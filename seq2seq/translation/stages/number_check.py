"""Numbers of a line and of its translation: which ones were changed or lost.

Numbers are compared by their digits: 1,000 and 1.000, 3.5 and 3,5, 12. and 12th, ３ and ٣ and 3 are equal, and a date
may have another order. Whether a language pair writes numbers in digits on both sides follows from its training text.
"""

import re
import unicodedata
from collections import Counter
from typing import Literal

Kind = Literal["small", "large"]
SMALL = 12  # smaller numbers are often words in one language and digits in another
RUN = re.compile(r"\d+")
NUMBER = re.compile(
    r"""
      (?<!\d) \d{1,3} (?P<part>[.,'’٬\u00a0\u202f\u2009\ ]) \d{3} (?:(?P=part)\d{3})* (?!\d) (?:[.,٫]\d+)?  # 1,000.5
    | \d+ (?:[.,٫]\d+)*                                                                                   # 3.5
    """,
    re.VERBOSE,
)


def numbers(text: str) -> Counter[str]:
    """The numbers of a text by their digits, without what parts them and without zeros before the first."""
    return Counter(_digits(match[0]) for match in NUMBER.finditer(text))


def lost(source: str, target: str) -> set[Kind]:
    """Of which kinds the numbers are that a source has and its translation has not."""
    own = {_digits(match[0]): match[0] for match in NUMBER.finditer(source)}
    missing = numbers(source) - numbers(target) if own else Counter()
    if not missing:
        return set()
    here, there = _runs(source), _runs(target)  # of 2.30 these are 2 and 30, as in 2:30
    return {kind(number) for number in missing if any(here[run] > there[run] for run in _runs(own[number]))}


def _runs(text: str) -> Counter[str]:
    """Digits that nothing parts."""
    return Counter(map(_digits, RUN.findall(text)))


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(one)) for one in text if one.isdecimal()).lstrip("0") or "0"


def kind(number: str) -> Kind:
    return "small" if int(number) <= SMALL else "large"
