"""The steps of a line before segmentation and search, and of its translation afterwards."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from seq2seq.data.tokenizer.canonical import TracedText, around, traced_line, traced_source, traced_spaces
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.languages import unspaced
from seq2seq.translation.checks.usage import Usage
from seq2seq.translation.line import Line, goes_on
from seq2seq.translation.searcher import Segment
from seq2seq.translation.stages.casing import Casing, word_cost
from seq2seq.translation.stages.glossary import Glossary
from seq2seq.translation.stages.markup import Markup, read_markup, unmarked
from seq2seq.translation.stages.number_check import lost
from seq2seq.translation.stages.passthrough import Passthrough
from seq2seq.translation.stages.placeholders import MaskedLine, Unknown, mask, merged, renumbered, restore, unmasked
from seq2seq.translation.stages.segmentation import Cut
from seq2seq.translation.stages.unicode_fallback import traced_unicode_fallback
from seq2seq.translation.stages.words import SPACE, numbers, own_links, source_spans
from seq2seq.translation.status import most_serious
from seq2seq.translation.translation import Candidate, Status, Translation

LONGEST_PHRASE, LONGEST_TOGETHER = 100, 300  # tokens; memory grows with the square of a required phrase


class TranslateOptions(NamedTuple):
    """Options of translating.

    tokens, alignments: whether candidates have them. dictionary: translations of copied words (see Translator's
    `unknown_words`). glossary: terms and their translations.
    """

    tokens: bool = False
    alignments: bool = False
    dictionary: Mapping[str, str] = {}
    glossary: Glossary | None = None


class PreprocessedLine(NamedTuple):
    """A preprocessed line, and the given one; `required`: all phrases that its translation must contain.

    capitals: whether the translation gets capitals. numbers: the number in the given line of each word of the processed
    line, before anything is masked.
    """

    given: Line
    masked: MaskedLine
    required: tuple[str, ...]
    markup: Markup
    capitals: bool
    numbers: Sequence[int]


class PreprocessSettings(NamedTuple):
    """What is copied, see Translator. `translated`: the training text translates lines such as 12:30.

    casing: whether lines in capitals are read in the case of the training text.
    """

    unknown: Unknown
    passthrough: Passthrough | None
    translated: bool
    casing: bool = False
    usage: Usage = Usage()


class Preprocessor:
    """Preprocesses and postprocesses lines of one direction.

    copied: what the model does not see. constrained: whether the search supports required phrases. aligning: whether
    the model has alignments. Raises ConfigError for options that are not supported.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        source: str,
        target: str,
        options: TranslateOptions,
        copied: PreprocessSettings,
        constrained: bool,
        aligning: Callable[[], bool],
    ) -> None:
        if options.dictionary and copied.unknown == "keep":
            raise ConfigError("dictionary: nothing is looked up where translator.unknown_words=keep; set it to copy")
        if options.glossary and not constrained:
            raise ConfigError("glossary: this search cannot promise phrases; set search=constrained")
        self.tokenizer, self.source, self.target, self.options = tokenizer, source, target, options
        self.copied, self.constrained, self.aligning = copied, constrained, aligning
        entries = {**(options.glossary.terms if options.glossary else {}), **options.dictionary}
        self.dictionary = {tokenizer.read(word, "source").text: entry for word, entry in entries.items()}
        self.casing = (
            Casing(word_cost(tokenizer, source), tokenizer.characters, source, target, source in copied.usage.capitals)
            if copied.casing
            else None
        )
        self.numbers = {kind for one, other, kind in copied.usage.numbers if (one, other) == (source, target)}
        self.ids = lru_cache(10_000)(self._ids)
        self.is_strange = lru_cache(10_000)(self._is_strange)

    def line(self, line: Line) -> PreprocessedLine:
        """The line in the form that the model reads, with everything masked that it cannot read or that is copied."""
        if line.required and not self.constrained:
            raise ConfigError("required: this search cannot promise phrases; set search=constrained")
        spaced = traced_spaces(line.text)
        markup = self._markup(spaced.text)
        taken, capitals = self._mask(markup.text)
        if taken.whole == spaced.text:
            spaced = traced_line(line.text)
            taken = unmasked(spaced.text)
        terms = self.options.glossary.required(taken.text, self.source) if self.options.glossary else []
        required = tuple(dict.fromkeys([*line.required, *terms]))
        own = numbers(spaced, line.text, self.source) if self.options.alignments else ()
        return PreprocessedLine(line, taken, required, markup, capitals, own)

    def parts(self, prepared: PreprocessedLine, cuts: Sequence[Cut]) -> list[Segment]:
        """The segments of a line. Phrases required in a long line may occur in any of them and are not searched for."""
        result = []
        for number, cut in enumerate(cuts):
            required = prepared.required
            if len(cuts) > 1:
                required = tuple(self.options.glossary.required(cut.text, self.source)) if self.options.glossary else ()
            phrases = [self.ids(phrase) for phrase in required]
            _check_phrases(required, phrases)
            copied = prepared.masked.placeholders or prepared.markup.changed
            aligned = self.options.alignments or (copied and self.aligning())
            result.append(
                Segment(
                    cut.ids,
                    self.ids(prepared.given.prefix, True) if number == 0 else (),
                    phrases,
                    [self.ids(phrase) for phrase in prepared.given.banned],
                    self._complete(prepared.given.prefix if number == 0 else "", required),
                    source_spans(self.tokenizer, cut.text, self.source) if aligned else (),
                )
            )
        return result

    def finished(self, translation: Translation, prepared: PreprocessedLine) -> Translation:
        """The translation with all masked text restored, and its statuses."""
        said = set(translation.notes)
        changed = bool(prepared.masked.placeholders) or prepared.markup.changed
        if changed or (translation.best and (prepared.capitals or self.options.alignments)):
            best = tuple(self._whole(one, prepared) for one in translation.best or (Candidate("", 0.0, (), ()),))
            best = _different(best)
            translation = translation._replace(text=best[0].text, best=best)
        if prepared.masked.placeholders or prepared.markup.tags:
            said = {*(said - {Status.BLANK, Status.EMPTY}), Status.UNKNOWN}
        if not lost(prepared.markup.text, translation.text).isdisjoint(self.numbers):
            said.add(Status.NUMBERS)
        if prepared.markup.lost(translation.text, self.dictionary):
            said.add(Status.MARKUP)
        if not self._met(prepared, translation.text):
            said.add(Status.UNMET)
        notes = most_serious(said)
        return translation._replace(status=notes[0] if notes else Status.OK, notes=notes)

    def _met(self, prepared: PreprocessedLine, text: str) -> bool:
        """Whether a translation is as asked for; in capitals, where it is."""
        constraints = prepared.given._replace(required=prepared.required)
        if prepared.capitals and self.casing:
            shown = [self.casing.shown(phrase, True) for phrase in (constraints.prefix, *constraints.required)]
            banned = tuple(self.casing.shown(phrase, True) for phrase in constraints.banned)
            constraints = constraints._replace(prefix=shown[0], required=tuple(shown[1:]), banned=banned)
        return constraints.met_by(text, self.target)

    def _markup(self, line: str) -> Markup:
        """A line without its tags and entities, if these are copied."""
        copied = self.copied.passthrough
        if copied is None or not copied.markup:
            return unmarked(line, self.source)
        return read_markup(line, copied.tags(line, self.source), self.source)

    def _mask(self, text: str) -> tuple[MaskedLine, bool]:
        """A line with copied text masked; all of the copied text if nothing else is left.

        And whether its translation gets capitals.
        """
        unknown, untranslated, translated, *_ = self.copied
        copied = list(merged(untranslated.runs(text, self.source))) if untranslated else []
        line, capitals = text, False
        if self.casing:
            line, copied, capitals = self.casing.read(text, copied)
        read, copied = around(line, copied, self._read)
        strange = None if unknown == "keep" or self.tokenizer.characters.issuperset(read.text) else self.is_strange
        taken = mask(read.text, self.source, strange, unknown == "symbols", self.dictionary, copied)
        letterless = untranslated and not taken.looked_up and untranslated.copies(taken.text, translated)
        if taken.whole is not None or letterless:
            return unmasked(text), capitals
        return taken if read.text == line else renumbered(taken, numbers(read, line, self.source)), capitals

    def _read(self, text: str) -> TracedText:
        """Text as the model reads it; in forms that it knows, where it is not to see what it does not know."""
        read = traced_source(text) if self.tokenizer.canonical else TracedText.given(text)
        return read if self.copied.unknown == "keep" else traced_unicode_fallback(read, self.tokenizer.characters)

    def _whole(self, one: Candidate, prepared: PreprocessedLine) -> Candidate:
        if (whole := prepared.masked.whole) is not None:
            result = one._replace(text=whole, alignment=own_links(whole, self.source, self.target))
        else:
            text = self.casing.shown(one.text, prepared.capitals) if self.casing else one.text
            result = restore(one._replace(text=text), prepared.masked, self.target)
        result = prepared.markup.restored(result, self.target)
        if not self.options.alignments:
            return result._replace(alignment=None)
        links = {(prepared.numbers[source], target) for source, target in result.alignment or ()}
        return result._replace(alignment=tuple(sorted(links)))

    def _ids(self, phrase: str, first: bool = False) -> tuple[int, ...]:
        """A phrase as the decoder generates it; in languages without spaces none precedes it inside a sentence."""
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

    def _complete(self, prefix: str, required: Sequence[str]) -> list[tuple[int, ...]]:
        """What the next word may not be glued to: phrases that end in a letter, a prefix that ends in a space."""
        if unspaced(self.target):
            return []
        result = [self.ids(phrase) for phrase in required if goes_on(phrase[-1:])]
        ended = prefix.rstrip() if prefix[-1:].isspace() else ""
        result += [self.ids(prefix, True)] if goes_on(ended[-1:]) else []
        return [ids for ids in result if not self.tokenizer.pieces(ids[-1:])[0].endswith(SPACE)]  # it is there already

    def _is_strange(self, word: str) -> bool:
        return not self.tokenizer.unread.isdisjoint(self.tokenizer.encode([word], self.source, "source")[0])


def _different(best: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Those whose text none before them has: what was put back may make texts equal."""
    result: dict[str, Candidate] = {}
    for one in best:
        result.setdefault(one.text, one)
    return tuple(result.values())


def _check_phrases(texts: Sequence[str], phrases: Sequence[Sequence[int]]) -> None:
    """Raises ConfigError for required phrases whose search would need very much memory."""
    for text, phrase in zip(texts, phrases, strict=True):
        if len(phrase) > LONGEST_PHRASE:
            raise ConfigError(
                f"required: a phrase may have {LONGEST_PHRASE} tokens, {text[:40]!r}... has {len(phrase):,}: shorten it"
            )
    if (together := sum(map(len, phrases))) > LONGEST_TOGETHER:
        raise ConfigError(
            f"required: the phrases of a line may have {LONGEST_TOGETHER} tokens together, those of a line have "
            f"{together:,}, {texts[0][:40]!r} among them: require fewer"
        )
