"""Tags of a line: `<b>`, `</b>`, `<br/>`, `<a href="x">`, `<g id="1">`, `&lt;i&gt;`; and the characters of entities.

An entity of a space, such as `&nbsp;`, or one that is escaped twice (`&amp;lt;`) is treated like a tag: no model
generates it. Other angle brackets are text (`a < b and c > d`, `<3`, `a<b>c`): a tag has a name of HTML, an attribute
with a value, a slash, or a closing tag.
"""

import re
from collections.abc import Iterator, Sequence, Set
from html import unescape
from html.entities import html5
from typing import NamedTuple

from seq2seq.languages import unspaced

CONVERSION = r"(?:hh|h|ll|l|q|j|z|t|L)?(?:[sdi@](?![a-z]{3})|[uoxXfFeEgGcpYHMSBAb](?![A-Za-z]))"
FORMAT = r"[-+0#]*(?:\d+|\*)?(?:\.(?:\d+|\*))?"
PLACEHOLDER = re.compile(
    rf"""
      %\d+\$ {FORMAT} {CONVERSION}                                     # %1$s
    | %\([\w.]+\) {FORMAT} [a-zA-Z]                                    # %(name)d
    | (?<!\d) (?<!\d%) % {FORMAT} {CONVERSION}                         # %s, %-5.2f
    | %%
    | %[A-Z][A-Z0-9_]+%                                                # %PATH%
    | \{{\{{\{{ [^{{}}\n]{{1,200}} \}}\}}\}}                           # {{{{{{ x }}}}}}
    | \{{\{{ [^{{}}\n]{{1,200}} \}}\}}                                 # {{{{ x }}}}
    | \{{% [^{{}}%\n]{{1,200}} %\}} | <% [^<>%\n]{{1,200}} %>          # {{% if x %}}, <%= x %>
    | [$\#@%]? \{{ \w+ , \s* (?:plural|select|selectordinal|number|date|time|choice) \b  # {{n, plural, one {{# dog}}}}
        (?: [^{{}}] | \{{ (?: [^{{}}] | \{{[^{{}}]*\}} )* \}} )* \}}
    | [$\#@%]? \{{ [\w.\[\]-]* (?:![rsa])? (?:: [^{{}}\s]{{0,40}})? \}}  # {{}}, {{name}}, {{0:.2f}}, ${{x}}, #{{x}}
    | (?<![\w$]) \$ [A-Za-z_]\w*                                       # $HOME
    | (?<![\w]) __ (?=\w*[^\W\d_]) [^\W_]+ (?:_[^\W_]+)* __ (?!\w)     # __NAME__
    """,
    re.VERBOSE,
)
NEXT = re.compile(r"\{\}|%[-+0#]*[\d*]*(?:\.[\d*]+)?[a-zA-Z@]+")  # what takes the next value: their order counts
BETWEEN = r"(?<=[\w}])[.@'’](?=[\w{%$])|(?:(?<=[\d}])|(?<=%[sd])):(?=[\d{%])"
SIDE = re.compile(rf"[\w/\\=~^+-]|{BETWEEN}")
DENSE_SIDE = re.compile(rf"[A-Za-z0-9_/\\=~^+-]|{BETWEEN}", re.ASCII)
ENTITY = r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6});"
NAME = r"[A-Za-z][A-Za-z0-9:_-]*|\d+"
SWITCH = r"\s+(?:disabled|checked|selected|hidden|required|async|defer|controls)"
VALUE = r"\s+[\w:@.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'|[^\s\"'<>=&]+)"
ESCAPED = r"\s+[\w:@.-]+\s*=\s*(?:&quot;[^&<>]*&quot;|[^\s&<>=]+)"
TAG = re.compile(
    rf"""
      <!--(?:(?!<!--).)*?--> | <!\[CDATA\[ | \]\]> | <[!?][A-Za-z][^<>]*>
    | <(?P<slash>/?)(?P<name>{NAME})(?P<values>(?:{VALUE})*)(?:{SWITCH})*\s*(?P<empty>/?)>
    | &lt;(?P<slash2>/?)(?P<name2>{NAME})(?P<values2>(?:{ESCAPED})*)\s*(?P<empty2>/?)&gt;
    | &amp;(?:\#?\w{{2,31}};) | {ENTITY}
    """,
    re.VERBOSE | re.DOTALL,
)
INLINE = frozenset(  # occurs inside a word, or directly at its end
    re.findall(
        r"\w+",
        "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span strike strong sub "
        "sup tt u var g bpt ept ph it x",
    )
)
EMPTY = frozenset(re.findall(r"\w+", "area base br col embed hr img input link meta param source track wbr"))
KNOWN = (
    INLINE
    | EMPTY
    | frozenset(
        re.findall(
            r"\w+",
            "article aside audio blockquote body button caption center details div dl dd dt fieldset figcaption figure "
            "footer form h1 h2 h3 h4 h5 h6 head header html iframe label legend li main nav ol option p picture pre "
            "script section select style summary table tbody td textarea tfoot th thead title tr ul video",
        )
    )
)
DEEPEST = 50  # tags around tags; more are single ones


def placeholders(line: str, language: str) -> Iterator[tuple[int, int]]:
    """Where each begins and ends, what touches it included (`{n}px`, `$HOME/bin`, `%d%%`), but not punctuation."""
    if {"%", "{", "$", "_"}.isdisjoint(line):
        return
    side = DENSE_SIDE if unspaced(language) else SIDE
    for match in PLACEHOLDER.finditer(line):
        begin, end = match.span()
        while end < len(line) and side.match(line, end):
            end += 1
        while begin > 0 and side.match(line, begin - 1):
            begin -= 1
        yield begin, end


def takes_next(text: str) -> bool:
    """Whether a placeholder takes the next value, so that the order of such placeholders must not change."""
    return any(NEXT.fullmatch(match[0]) for match in PLACEHOLDER.finditer(text))


def bare(line: str) -> Iterator[str]:
    """Each placeholder of a line, without what touches it."""
    if not {"%", "{", "$", "_"}.isdisjoint(line):
        yield from (match[0] for match in PLACEHOLDER.finditer(line))


class Tag(NamedTuple):
    """A tag of a line. partner: the number of the tag that closes it, or that it closes.

    opens: whether it belongs to the text after it. inline: whether it may be inside a word. touches: whether there is
    no space before and after it.
    """

    begin: int
    end: int
    partner: int | None
    opens: bool
    inline: bool
    touches: tuple[bool, bool]


class _Found(NamedTuple):
    begin: int
    end: int
    name: str
    kind: str  # open, close, empty


def tags(line: str) -> list[Tag]:
    """All tags of a line in order."""
    if {"<", "&"}.isdisjoint(line):
        return []
    result = list(_found(line))
    partners = _partners(result)
    return [
        Tag(
            one.begin,
            one.end,
            partners.get(number),
            one.kind == "open",
            one.name in INLINE or one.name.isdigit() or (number in partners and one.name not in KNOWN),
            (
                not line[one.begin - 1 : one.begin].isspace() and one.begin > 0,
                line[one.end : one.end + 1].strip() != "",
            ),
        )
        for number, one in enumerate(result)
    ]


def without(tags: Sequence[Tag], dropped: Set[int]) -> list[Tag]:
    """The tags but for some, numbered anew; what loses its partner is a single one."""
    kept = [number for number in range(len(tags)) if number not in dropped]
    places = {number: place for place, number in enumerate(kept)}
    partners = [tags[number].partner for number in kept]
    return [
        tags[number]._replace(partner=None if partner is None else places.get(partner))
        for number, partner in zip(kept, partners, strict=True)
    ]


def character(entity: str) -> str | None:
    """The character of an entity; None for spaces, for several characters, and for no entity."""
    if entity[:1] != "&" or not (entity[1:2] == "#" or entity[1:] in html5):
        return None
    letters = unescape(entity)
    return letters if len(letters) == 1 and not letters.isspace() else None


def _found(line: str) -> Iterator[_Found]:
    """The tags that are some, and the entities that are like tags."""
    matches = list(TAG.finditer(line))
    closed = {_name(match) for match in matches if _slash(match)}
    for match in matches:
        begin, end, name = *match.span(), _name(match)
        if match[0].startswith("&") and not match["name2"]:
            known = match[0][1] == "#" or match[0][1:] in html5 or match[0].startswith("&amp;")
            if known and character(match[0]) is None:
                yield _Found(begin, end, "", "empty")
        elif not name:
            yield _Found(begin, end, "", "empty")
        elif _is_tag(line, match, name, closed):
            kind = "close" if _slash(match) else "empty" if _is_empty(match, name) else "open"
            yield _Found(begin, end, name, kind)


def _is_tag(line: str, match: re.Match[str], name: str, closed: set[str]) -> bool:
    """Whether what looks like a tag is one."""
    if _slash(match) or _is_empty(match, name) or name in closed or match["values"] or match["values2"]:
        return True
    between = line[match.start() - 1 : match.start()].isalnum() and line[match.end() : match.end() + 1].isalnum()
    return name in KNOWN and not (between and len(name) == 1)


def _is_empty(match: re.Match[str], name: str) -> bool:
    return bool(match["empty"] or match["empty2"]) or name in EMPTY


def _slash(match: re.Match[str]) -> bool:
    return bool(match["slash"] or match["slash2"])


def _name(match: re.Match[str]) -> str:
    return (match["name"] or match["name2"] or "").lower()


def _partners(tags: list[_Found]) -> dict[int, int]:
    """Which tag closes which, both ways; pairs never cross: of `<a> <b> </a> </b>` only one has a partner."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    for number, one in enumerate(tags):
        if one.kind == "open" and len(opened) < DEEPEST:
            opened.append(number)
        elif one.kind == "close":
            place = next(
                (place for place in range(len(opened) - 1, -1, -1) if tags[opened[place]].name == one.name), None
            )
            if place is not None:
                partners |= {number: opened[place], opened[place]: number}
                del opened[place:]
    return partners
