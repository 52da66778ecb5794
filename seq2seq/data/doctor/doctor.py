"""A look at the data before anything is spent on it: findings of three kinds, and never a crash on a broken file.

report = doctor(corpus, cleaning, tokenizer, ..., max_leakage=0.5, max_remembered=30_000_000, short_lines=short_lines)
report.problems      # what would spoil a training: the command line exits with 1 when there is one
report.to_json()
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Literal, NamedTuple

from seq2seq.data.cleaning.base import Counts, Filter, clean
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.doctor import estimate
from seq2seq.data.doctor.survey import LanguageSurvey, SplitSurvey, TextMemory, scripts, survey
from seq2seq.data.tokenizer.pretrained import PretrainedTokenizer
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.data.tokenizer.train import LONGEST_LINE, TokenizerSettings, TrainedTokenizer, train_tokenizer
from seq2seq.errors import ConfigError, Seq2SeqError
from seq2seq.languages import is_code

Level = Literal["fine", "warning", "problem"]
FAR_RATIO = 3.0  # times the usual ratio of two languages' lengths: an outlier
FAR_LENGTH = 10  # times the median length: an outlier
SAMPLE = 2.0  # megabytes of text for a look at the tokenizer
CANONICAL = "tokenizer.canonical=true reads all but entities as what they look like: unescape those"
FEW = 0.001  # share of a split's characters that may be unknown before it is worth a warning


class Finding(NamedTuple):
    """One line of the report: where (split, and language or direction), what was looked at, and what was found."""

    level: Level
    where: str
    what: str
    found: str


class Report(NamedTuple):
    """All findings, in the order in which they were made."""

    findings: list[Finding]

    @property
    def problems(self) -> list[Finding]:
        """What would spoil a training."""
        return [finding for finding in self.findings if finding.level == "problem"]

    def to_json(self) -> str:
        """`{"problems": 0, "warnings": 1, "findings": [{"level": ..., "where": ..., "what": ..., "found": ...}]}`."""
        levels = [finding.level for finding in self.findings]
        whole = {
            "problems": levels.count("problem"),
            "warnings": levels.count("warning"),
            "findings": [finding._asdict() for finding in self.findings],
        }
        return json.dumps(whole, ensure_ascii=False, indent=1)


def doctor(
    corpus: Corpus,
    cleaning: Mapping[str, Filter],
    tokenizer: TokenizerSettings | PretrainedTokenizer,
    max_tokens: int,
    max_length: int,
    epochs: float,
    tokens_per_second: float,
    width: int,
    layers: int,
    heads: int,
    max_leakage: float,
    max_remembered: int,
    short_lines: Callable[[Sequence[str], str], int],
) -> Report:
    """Examines every split of a corpus.

    cleaning, tokenizer, max_length: as for `prepare`. max_tokens (of a batch), epochs, tokens_per_second (target),
    width, layers (a side), heads: of the training to estimate. max_leakage: tolerated share of a valid or test split's
    records that are also in train; more is a problem, any a warning. max_remembered: lines to compare for duplicates
    and leakage. short_lines: lines of a language with too few words for BLEU. Raises ConfigError for illegal settings
    only.
    """
    plan = estimate.TrainingPlan(
        max_tokens, max_length, epochs, tokens_per_second, width, layers, heads, _tokens_of(tokenizer)
    )
    plan.check()
    if not 0 <= max_leakage <= 1:
        raise ConfigError(f"doctor.max_leakage: expected a share from 0 to 1, got {max_leakage}")
    examination = _Examination(corpus, max_leakage, max_remembered, short_lines)
    examination.codes()
    train = [one for split in corpus.train if (one := examination.split(split, training=True))]
    for split in dict.fromkeys([*corpus.valid, *corpus.test]):
        examination.split(split, training=False)
    if len(train) == len(corpus.train) and train:
        examination.cleaning(cleaning)
        examination.needs(train, tokenizer, plan)
    return Report(examination.findings)


class _Examination:
    """Makes the findings, split by split."""

    def __init__(
        self, corpus: Corpus, leakage: float, remembered: int, short_lines: Callable[[Sequence[str], str], int]
    ) -> None:
        self.short_lines = short_lines
        self.corpus, self.leakage, self.remembered = corpus, leakage, remembered
        self.memory = TextMemory(remembered)
        self.findings: list[Finding] = []

    def note(self, level: Level, where: str, what: str, finding: str) -> None:
        self.findings.append(Finding(level, where, what, finding))

    def codes(self) -> None:
        """Whether the languages' codes are known."""
        unknown = [code for code in self.corpus.languages if not is_code(code)]
        result = f"{', '.join(unknown)}: no known code, so words stand between spaces and BLEU takes 13a's"
        self.note("warning" if unknown else "fine", "all", "language codes", result if unknown else "known")

    def split(self, split: str, training: bool) -> SplitSurvey | None:
        """What is in a split; None where it cannot be read."""
        try:
            result = survey(self.corpus.records(split), self.memory, self.remembered, training)
        except Seq2SeqError as error:
            self.note("problem", split, "cannot be read", str(error))
            return None
        counted = ", ".join(f"{language} {one.lines:,}" for language, one in result.languages.items())
        self.note("fine", split, "lines", counted)
        level: Level = "warning" if result.duplicates > result.records // 10 else "fine"
        self.note(level, split, "duplicate records", _share(result.duplicates, result.records))
        for language, one in result.languages.items():
            self._language(f"{split} {language}", one, None if training else self.memory.characters.get(language))
        self._ratios(split, result)
        if not training:
            self._leaks(split, result)
            self._short(split, result)
        return result

    def cleaning(self, cleaning: Mapping[str, Filter]) -> None:
        """What the filters would leave of the training pairs."""
        counts = Counts()
        for split in self.corpus.train:
            for _ in clean(self.corpus.pairs(split), cleaning, counts):
                pass
        level: Level = "problem" if not counts.kept else "warning" if 2 * counts.kept < counts.total else "fine"
        self.note(level, "train", "cleaning", str(counts))
        returns = {name: count for name, count in self.corpus.carriage_returns.items() if count}
        result = ", ".join(f"{name} {count:,}" for name, count in returns.items()) or "none"
        self.note("warning" if returns else "fine", "all", "carriage returns removed at line ends", result)

    def needs(
        self, train: list[SplitSurvey], tokenizer: TokenizerSettings | PretrainedTokenizer, plan: estimate.TrainingPlan
    ) -> None:
        """Memory, disk and time of a training."""
        try:
            trained = self._tokenizer(tokenizer)
        except Seq2SeqError as error:
            self.note("problem", "train", "tokenizer", str(error))
            return
        overlong = f"{trained.overlong:,} above {LONGEST_LINE:,} bytes"
        self.note("warning" if trained.overlong else "fine", "train", "lines too long for the tokenizer", overlong)
        pieces = {}  # a byte, by language
        longest = 1
        for language in self.corpus.languages:
            surveys = [one.languages[language] for one in train if language in one.languages]
            pieces[language] = _pieces_per_byte(trained.tokenizer, surveys, language)
            longest = max(longest, *(_pieces(trained.tokenizer, one.longest, language) for one in surveys))
        self._long(longest, plan)
        self._estimates(train, pieces, min(longest, plan.max_length), plan)

    def _tokenizer(self, settings: TokenizerSettings | PretrainedTokenizer) -> TrainedTokenizer:
        """TrainedTokenizer on less text than for a preparation, where that suffices to fill the vocabulary."""
        if isinstance(settings, PretrainedTokenizer):
            return TrainedTokenizer(settings.look(), 0, 0)
        less = copy(settings)
        less.sample_megabytes = min(SAMPLE, settings.sample_megabytes)
        try:
            return train_tokenizer(self.corpus, less)
        except ConfigError:
            return train_tokenizer(self.corpus, settings)

    def _language(self, where: str, survey: LanguageSurvey, train: Counter[str] | None) -> None:
        if survey.blank:
            level: Level = "problem" if survey.blank == survey.lines else "warning"
            self.note(level, where, "blank lines", _share(survey.blank, survey.lines))
        odd = ", ".join(f"{count:,} {name}" for name, count in survey.invisible.items())
        self.note("warning" if odd else "fine", where, "odd separators", odd or "none")
        unusual = list(survey.oddities.described(survey.lines))
        mixed_forms = any(few for _, few in unusual)
        listed = "; ".join(text for text, _ in unusual) or "none"
        advice = f"; {CANONICAL}" if mixed_forms else ""
        self.note("warning" if mixed_forms else "fine", where, "odd characters", listed + advice)
        median, far = survey.length(0.5), survey.length(0.999)
        outliers = sum(count for length, count in survey.lengths.items() if length > FAR_LENGTH * max(median, 1))
        spread = f"median {median}, 99.9 % up to {far}, longest {len(survey.longest):,}; {outliers:,} outliers"
        self.note("warning" if outliers else "fine", where, "characters a line", spread)
        mixed = scripts(survey.characters)
        other = train is not None and [name for name, _ in mixed[:1]] != [name for name, _ in scripts(train)[:1]]
        mix = ", ".join(f"{name.lower()} {share:.1%}" for name, share in mixed[:4]) or "no letters"
        self.note("warning" if other else "fine", where, "scripts", mix)
        if train is not None:
            share = survey.unknown(train)
            self.note("warning" if share > FEW else "fine", where, "characters that train lacks", f"{share:.3%}")

    def _ratios(self, split: str, survey: SplitSurvey) -> None:
        directions = {frozenset(direction) for direction in self.corpus.directions}
        for languages in survey.ratios:
            if frozenset(languages) in directions:
                median, outliers = survey.ratio_outliers(languages, FAR_RATIO)
                level: Level = "warning" if outliers > survey.records // 100 else "fine"
                share = _share(outliers, survey.records)
                finding = f"median {median:.2f} in bytes; {share} more than {FAR_RATIO:g} times off"
                self.note(level, f"{split} {'/'.join(languages)}", "length ratio", finding)

    def _leaks(self, split: str, survey: SplitSurvey) -> None:
        share = survey.leaked / survey.records
        level: Level = "problem" if share > self.leakage else "warning" if survey.leaked else "fine"
        self.note(level, split, "records that stand in train", _share(survey.leaked, survey.records))
        lines = ", ".join(
            f"{language} {_share(count, survey.records)}" for language, count in survey.leaked_lines.items()
        )
        self.note("fine", split, "lines that stand in train", lines or "none")

    def _short(self, split: str, survey: SplitSurvey) -> None:
        """Whether BLEU, which compares runs of four words, can rank translations of the first lines."""
        for language in dict.fromkeys(target for source, target in self.corpus.directions if source != target):
            lines = survey.languages[language].first if language in survey.languages else []
            short = self.short_lines(lines, language)
            few = 2 * short > len(lines)
            advice = "; BLEU sees nothing there, trainer.metric=auto takes chrF" if few else ""
            self.note(
                "warning" if few else "fine",
                f"{split} {language}",
                "lines of under four words",
                f"{_share(short, len(lines))}{advice}",
            )

    def _long(self, longest: int, plan: estimate.TrainingPlan) -> None:
        finding = f"{longest:,} pieces; pairs above {plan.max_length:,} are dropped"
        self.note("warning" if longest > plan.max_length else "fine", "train", "longest line", finding)
        if min(longest, plan.max_length) + 1 > plan.max_tokens:
            finding = (
                f"{plan.max_tokens:,} tokens do not hold a line of {min(longest, plan.max_length):,} pieces and EOS"
            )
            self.note(
                "problem",
                "train",
                "batch",
                f"{finding}; set a larger loader.max_tokens or a smaller prepare.max_length",
            )

    def _estimates(
        self, train: list[SplitSurvey], pieces: dict[str, float], longest: int, plan: estimate.TrainingPlan
    ) -> None:
        size = {language: sum(one.languages[language].bytes for one in train) for language in self.corpus.languages}
        tokens = {language: int(size[language] * pieces[language]) for language in size}
        pairs = sum(one.records for one in train) * len(self.corpus.directions)
        both = sum(tokens[one] + tokens[other] for one, other in self.corpus.directions)
        text = sum(size[one] + size[other] for one, other in self.corpus.directions)
        targets = sum(tokens[target] for _, target in self.corpus.directions) + pairs
        preparation, training = estimate.seconds(pairs, targets, plan)
        worst = estimate.batch_memory(plan, longest)
        weights = _size(estimate.weights_memory(plan))
        whole = f"{_size(worst)} for a batch of lines of {longest} pieces, {weights} for weights and optimiser"
        self.note("fine", "train", "pairs and target tokens an epoch", f"{pairs:,} pairs, about {targets:,} tokens")
        self.note("fine", "estimate", "worst-batch memory", whole)
        self.note(
            "fine", "estimate", "disk", f"{_size(estimate.disk(pairs, text, both, plan.vocabulary))} in the cache"
        )
        epochs = f"{plan.epochs:g} epochs {_time(training)} at {plan.tokens_per_second:,.0f} target tokens a second"
        self.note("fine", "estimate", "time", f"preparing {_time(preparation)}, {epochs}")


def _tokens_of(tokenizer: TokenizerSettings | PretrainedTokenizer) -> int:
    return max(tokenizer.look().sizes) if isinstance(tokenizer, PretrainedTokenizer) else tokenizer.vocab_size


def _pieces(tokenizer: Tokenizer, text: str, language: str) -> int:
    """Pieces of a line, on the side that needs more of them."""
    return max(len(tokenizer.encode([text], language, side)[0]) for side in ("source", "target"))


def _pieces_per_byte(tokenizer: Tokenizer, surveys: list[LanguageSurvey], language: str) -> float:
    """From the first lines of each split."""
    text = " ".join(line for one in surveys for line in one.first)
    return _pieces(tokenizer, text, language) / max(1, len(text.encode()))


def _share(count: int, whole: int) -> str:
    return f"{count:,} of {whole:,} ({count / max(whole, 1):.1%})"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.1f} minutes"
