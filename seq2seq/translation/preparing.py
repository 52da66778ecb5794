"""What is done to a line before it is cut and searched, and to its translation afterwards, because somebody asked."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.languages import unspaced
from seq2seq.translation.glossary import Glossary
from seq2seq.translation.line import Line
from seq2seq.translation.line_markup import LineMarkup, line_markup
from seq2seq.translation.readable import readable_around
from seq2seq.translation.searcher import Part
from seq2seq.translation.splitting import Cut
from seq2seq.translation.translation import Candidate, Status, Translation
from seq2seq.translation.unknown import Taken, Unknown, as_it_is, merged, put_back, taken_out
from seq2seq.translation.untranslated import Untranslated
from seq2seq.translation.verdict import serious
from seq2seq.translation.words import SPACE, source_spans


class Wishes(NamedTuple):
    """What somebody wants besides translations.

    tokens, alignments: to be told of each candidate. dictionary: what is put in place of copied words, see
    Translator's `unknown`. glossary: terms and their translations.
    """

    tokens: bool = False
    alignments: bool = False
    dictionary: Mapping[str, str] = {}
    glossary: Glossary | None = None


class Prepared(NamedTuple):
    """A line as it goes on, and what was given; `required`: all phrases that its translation must have."""

    given: Line
    taken: Taken
    required: tuple[str, ...]
    markup: LineMarkup


class Copied(NamedTuple):
    """What of a line is copied: see Translator. `translated`: the model may have learnt what 12:30 becomes."""

    unknown: Unknown
    untranslated: Untranslated | None
    translated: bool


class Preparing:
    """For one call, from a language to a language.

    copied: what the model never sees. constrained: whether the search keeps required phrases. aligning: whether the
    model can tell where a word goes. Raises ConfigError for wishes that cannot be met.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        source: str,
        target: str,
        wishes: Wishes,
        copied: Copied,
        constrained: bool,
        aligning: Callable[[], bool],
    ) -> None:
        if wishes.dictionary and copied.unknown == "keep":
            raise ConfigError("dictionary: nothing is looked up where translator.unknown=keep; set it to copy")
        if wishes.glossary and not constrained:
            raise ConfigError("glossary: this search cannot promise phrases; set search=constrained")
        self.tokenizer, self.source, self.target, self.wishes = tokenizer, source, target, wishes
        self.copied, self.constrained, self.aligning = copied, constrained, aligning
        self.dictionary = {**(wishes.glossary.terms if wishes.glossary else {}), **wishes.dictionary}
        self.ids = lru_cache(10_000)(self._ids)
        self.is_strange = lru_cache(10_000)(self._is_strange)

    def line(self, line: Line) -> Prepared:
        """A line, in the form that the model sees, without what it cannot read or nobody translates."""
        if line.required and not self.constrained:
            raise ConfigError("required: this search cannot promise phrases; set search=constrained")
        markup = line_markup(line.text, self.copied.untranslated, self.source)
        taken = self._taken(markup.marked.text)
        terms = self.wishes.glossary.required(taken.text, self.source) if self.wishes.glossary else []
        return Prepared(line, taken, tuple(dict.fromkeys([*line.required, *terms])), markup)

    def parts(self, prepared: Prepared, cuts: Sequence[Cut]) -> list[Part]:
        """The parts of a line. Phrases that a long line must have stand in any part: they are not searched for."""
        found = []
        for number, cut in enumerate(cuts):
            required = prepared.required
            if len(cuts) > 1:
                required = tuple(self.wishes.glossary.required(cut.text, self.source)) if self.wishes.glossary else ()
            copied = prepared.taken.held or prepared.markup.changed
            aligned = self.wishes.alignments or (copied and self.aligning())
            found.append(
                Part(
                    cut.ids,
                    self.ids(prepared.given.prefix, True) if number == 0 else (),
                    [self.ids(phrase) for phrase in required],
                    [self.ids(phrase) for phrase in prepared.given.banned],
                    source_spans(self.tokenizer, cut.text, self.source) if aligned else (),
                )
            )
        return found

    def finished(self, translation: Translation, prepared: Prepared) -> Translation:
        """The translation with all that was taken out, and what is to be said of it besides."""
        said = set(translation.notes)
        if prepared.taken.held or prepared.markup.changed:
            best = tuple(self._whole(one, prepared) for one in translation.best or (Candidate("", 0.0, (), ()),))
            translation = translation._replace(text=best[0].text, best=best)
            said = {*(said - {Status.BLANK, Status.EMPTY}), Status.UNKNOWN}
        if prepared.markup.lost(translation.text, self.dictionary):
            said.add(Status.MARKUP)
        if not prepared.given._replace(required=prepared.required).met_by(translation.text, self.target):
            said.add(Status.UNMET)
        notes = serious(said)
        return translation._replace(status=notes[0] if notes else Status.OK, notes=notes)

    def _taken(self, text: str) -> Taken:
        """A line without what is copied; all that is copied of it where nothing else is left."""
        unknown, untranslated, translated = self.copied
        copied = list(merged(untranslated.runs(text, self.source))) if untranslated else []
        line = text
        if unknown != "keep":
            line, copied = readable_around(text, copied, self.tokenizer.characters)
        strange = None if unknown == "keep" or self.tokenizer.characters.issuperset(line) else self.is_strange
        taken = taken_out(line, self.source, strange, unknown == "symbols", self.dictionary, copied)
        letterless = untranslated and not taken.looked_up and untranslated.copies(taken.text, translated)
        return as_it_is(text) if taken.whole is not None or letterless else taken

    def _whole(self, one: Candidate, prepared: Prepared) -> Candidate:
        found = put_back(one, prepared.taken, self.target) if prepared.taken.held else one
        found = prepared.markup.restored(found, self.target)
        return found if self.wishes.alignments else found._replace(alignment=None)

    def _ids(self, phrase: str, first: bool = False) -> tuple[int, ...]:
        """A phrase as the decoder says it; inside a sentence no space goes before it, where words are not spaced."""
        [ids] = self.tokenizer.encode([phrase], self.target, "target") if phrase else [[]]
        if first or not unspaced(self.target) or not ids:
            return tuple(ids)
        if self.tokenizer.pieces(ids[:1]) == [SPACE]:
            return tuple(ids[1:])
        before = self.tokenizer.encode([f"。{phrase}"], self.target, "target")[0]
        for count in (1, 2):
            if self.tokenizer.decode([before[count:]], self.target) == [phrase]:
                return tuple(before[count:])
        return tuple(ids)

    def _is_strange(self, word: str) -> bool:
        return not self.tokenizer.unread.isdisjoint(self.tokenizer.encode([word], self.source, "source")[0])
