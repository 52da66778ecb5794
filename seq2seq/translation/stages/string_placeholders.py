"""Placeholders of software strings: `%s`, `%(name)d`, `%1$s`, `{name}`, `{0:.2f}`, `{{ x }}`, `${x}`, `$HOME`.

A percent sign behind a digit is one (`100%s`), and so is one with a space behind it; braces around several words, as in
`{1, 2, 3}` or `{the dog}`, are a sentence's own.
"""

import re
from collections.abc import Iterator

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
    """Whether a placeholder is filled by the next value, so that it must not change places with another such one."""
    return any(NEXT.fullmatch(match[0]) for match in PLACEHOLDER.finditer(text))


def bare(line: str) -> Iterator[str]:
    """Each placeholder of a line, without what touches it."""
    if not {"%", "{", "$", "_"}.isdisjoint(line):
        yield from (match[0] for match in PLACEHOLDER.finditer(line))
