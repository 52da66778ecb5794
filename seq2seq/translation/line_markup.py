"""A line's tags, entities and placeholders: what the model sees instead, and whether all are in the translation."""

from collections.abc import Container, Mapping
from typing import NamedTuple

from seq2seq.translation.markup import Marked, marked, restored
from seq2seq.translation.placeholders import bare
from seq2seq.translation.tags import ENTITY, spelt, tags
from seq2seq.translation.translation import Candidate
from seq2seq.translation.untranslated import Untranslated


class LineMarkup(NamedTuple):
    """What a line has of them. `written`: how it writes characters that entities inside of words stand for."""

    given: str
    marked: Marked
    written: Mapping[str, str]

    @property
    def changed(self) -> bool:
        """Whether the model sees something else than the line."""
        return bool(self.marked.tags or self.written)

    def restored(self, found: Candidate, language: str) -> Candidate:
        """A translation of what the model saw, with all of them."""
        if self.written:
            found = found._replace(text="".join(self.written.get(letter, letter) for letter in found.text))
        return restored(found, self.marked, language)

    def lost(self, text: str, replaced: Container[str]) -> bool:
        """Whether a translation has one of them more or less often than the line; `replaced`: on purpose."""
        if {"<", "&", "%", "{", "$", "_"}.isdisjoint(self.given):
            return False
        found = [self.given[tag.begin : tag.end] for tag in tags(self.given)]
        found += [match[0] for match in ENTITY.finditer(self.given)] + list(bare(self.given))
        return any(self.given.count(one) != text.count(one) for one in {*found} if one not in replaced)


def line_markup(line: str, untranslated: Untranslated | None, language: str) -> LineMarkup:
    """What a line has of tags and entities, if they are copied."""
    if untranslated is None or not untranslated.markup:
        return LineMarkup(line, marked(line, [], language), {})
    text, written = spelt(line)
    return LineMarkup(line, marked(text, untranslated.tags(text, language), language), written)
