"""Translates and scores test sets."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from seq2seq.config.build import TARGET
from seq2seq.data.augmentation.base import Noise
from seq2seq.data.corpus.base import Corpus, Pair
from seq2seq.data.corpus.misalignment import parting
from seq2seq.data.loader.shuffle import named, uniform
from seq2seq.errors import ConfigError, DataError, ModelError, StorageError
from seq2seq.evaluation.metric import Scores, bleu_and_chrf, missing_tokenizers, score
from seq2seq.io.text import Lines, writing
from seq2seq.languages import matching_directions
from seq2seq.model_folder.config import SUMS
from seq2seq.model_folder.folder import WEIGHTS, amend
from seq2seq.translation.translator import Translator

Direction = tuple[str, str]
Results = dict[str, dict[str, Scores]]  # test set -> "en-de" -> scores
RESULTS, HYPOTHESES = "evaluation.json", "hypotheses"


@dataclass(frozen=True)
class Version:
    """A test set, unchanged (`noise` is None) or with one kind of noise on all pairs, drawn from `seed`."""

    name: str
    noise: Noise | None
    seed: int

    @property
    def cased(self) -> bool:
        """Whether the case of translations counts."""
        return self.noise is None or self.noise.cased

    def of(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs of the test set in this version; fewer where several become one, each of which is used once."""
        if self.noise is None:
            return list(pairs)
        rows = np.arange(len(pairs), dtype=np.int64)
        counts, details = (uniform(rows, self.seed, 0, stream).tolist() for stream in (0, 1))
        changed: list[Pair] = []
        place = 0
        while place < len(pairs):
            some = pairs[place : place + self.noise.pairs(counts[place])]
            changed.append(self.noise(some, Random(int(details[place] * 2**53))))
            place += len(some)
        return changed


def versions(split: str, noises: Mapping[str, Noise], seed: int) -> list[Version]:
    """The test set itself, and `SPLIT+NAME` for each kind of noise."""
    noisy = [Version(f"{split}+{name}", noise, named(seed, name)) for name, noise in noises.items()]
    return [Version(split, None, seed), *noisy]


def evaluate(
    translator: Translator,
    corpus: Corpus,
    folder: Path,
    report: Callable[[str], None],
    noises: Mapping[str, Noise] | None = None,
    seed: int = 0,
) -> Results:
    """Scores every test set of the corpus in every direction that both the corpus and the model have.

    Writes `folder/evaluation.json` and the translations, `folder/hypotheses/TEST.en-de.de`. `report`: gets progress
    messages. `noises`: for each kind a noisy version of every test set is scored, drawn from `seed`: `TEST+upper`.
    Raises ConfigError if there is no test set or no common direction.
    """
    if not corpus.test:
        raise ConfigError("corpus.test: expected at least one split to evaluate on, got none; set corpus.test=[NAME]")
    known = translator.directions
    directions = [direction for direction in corpus.directions if len(matching_directions(*direction, known)) == 1]
    if not directions:
        raise ConfigError(
            f"corpus.directions: the corpus has {_listed(corpus.directions)}, the model translates "
            f"{_listed(translator.directions)}; choose a corpus with one of these"
        )
    if missing := [direction for direction in corpus.directions if direction not in directions]:
        report(f"not evaluated, because the model does not translate them: {_listed(missing)}")
    for message in missing_tokenizers([target for _, target in directions]):
        report(message)
    results: Results = {}
    for split in corpus.test:
        groups = {
            direction: pairs for direction, pairs in grouped(corpus.pairs(split)).items() if direction in directions
        }
        for version in versions(split, noises or {}, seed):
            results[version.name] = {
                f"{source}-{target}": _scored(translator, version, pairs, folder, report)
                for (source, target), pairs in groups.items()
            }
    save(results, folder / RESULTS)
    return results


def written(corpus: Corpus, folder: Path, noises: Mapping[str, Noise]) -> list[Path]:
    """The files that `evaluate` may write."""
    names = [version.name for split in corpus.test for version in versions(split, noises, 0)]
    every = [_hypotheses(folder, name, *direction) for name in names for direction in corpus.directions]
    return [folder / RESULTS, *every]


def _scored(
    translator: Translator, version: Version, pairs: Sequence[Pair], folder: Path, report: Callable[[str], None]
) -> Scores:
    """The scores of a version of a test set in one direction; writes the translations."""
    source, target = pairs[0].source_language, pairs[0].target_language
    pairs = version.of(pairs)
    hypotheses = translated(translator, pairs)
    with writing(_hypotheses(folder, version.name, source, target)) as write:
        write(hypotheses)
    result = score(hypotheses, [pair.target for pair in pairs], target, version.cased)
    report(f"{version.name} {source}-{target}: BLEU {result.bleu:.1f}, chrF {result.chrf:.1f}, TER {result.ter:.1f}")
    return result


def evaluate_files(hypotheses: Path, references: Path, target: str, report: Callable[[str], None]) -> Scores:
    """Scores a file of translations against a file of references in the language `target`; both may be compressed.

    Raises DataError where a file cannot be read or their numbers of lines differ.
    """
    for message in missing_tokenizers([target]):
        report(message)
    given, right = list(Lines(hypotheses)), list(Lines(references))
    try:
        return score(given, right, target)
    except DataError as error:
        where = "" if len(given) == len(right) else f": {parting(hypotheses, references)}"
        raise DataError(f"{hypotheses} and {references}: {error}{where}") from error


def validation_scores(translator: Translator, pairs: Sequence[Pair]) -> dict[str, float]:
    """`{"bleu": ..., "chrf": ...}` of really decoded text: corpus scores, averaged over the directions of `pairs`."""
    scores = [
        bleu_and_chrf(translated(translator, group), [pair.target for pair in group], target)
        for (_, target), group in grouped(pairs).items()
    ]
    bleu, chrf = zip(*scores, strict=True)
    return {"bleu": sum(bleu) / len(bleu), "chrf": sum(chrf) / len(chrf)}


def validation_signatures(directions: Sequence[Direction]) -> dict[str, str]:
    """How those are computed: sacreBLEU's signature a metric, several where target languages are split differently."""
    result = [score(["a"], ["a"], target).signature for target in dict.fromkeys(target for _, target in directions)]
    return {name: " / ".join(dict.fromkeys(one[name] for one in result)) for name in ("bleu", "chrf")}


def grouped(pairs: Iterator[Pair] | Sequence[Pair]) -> dict[Direction, list[Pair]]:
    """The pairs of each direction, in their order."""
    groups: dict[Direction, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.source_language, pair.target_language), []).append(pair)
    return groups


def translated(translator: Translator, pairs: Sequence[Pair]) -> list[str]:
    """The translations of pairs that share a direction, as one chunk."""
    source, target = pairs[0].source_language, pairs[0].target_language
    [translations] = translator.translate_chunks([[pair.source for pair in pairs]], source, target)
    return [translation.text for translation in translations]


def save(results: Results, path: Path) -> None:
    """Writes results as JSON, whole: `{"test_2016": {"en-de": {"bleu": 37.1, ..., "signature": {...}}}}`."""
    table = {split: {name: one._asdict() for name, one in scores.items()} for split, scores in results.items()}
    with writing(path) as write:
        write([json.dumps(table, indent=2)])


def _hypotheses(folder: Path, split: str, source: str, target: str) -> Path:
    return folder / HYPOTHESES / f"{split}.{source}-{target}.{target}"


def _listed(directions: Sequence[Direction]) -> str:
    return ", ".join(f"{source}-{target}" for source, target in directions)


def record_scores(
    folder: Path,
    name: str,
    corpus: Corpus,
    results: Results,
    how: Mapping[str, object],
    report: Callable[[str], None],
    weights: str | None = None,
) -> None:
    """Adds `results` on test sets of the corpus `name` to the config.json of a run's model folder; replaces older ones.

    `how`: the settings they depend on; of nodes in it, such as the search, only numbers are stored, no paths of this
    machine. `report`: gets a message if nothing can be written. `weights`: the checksum of the evaluated weights, if
    known; a run that is still training may have others by now.
    """
    tests = {
        split: {"use": "test", "pairs": sum(1 for _ in corpus.pairs(split)), "sha256": corpus.fingerprint(split)}
        for split in results
    }
    kept = {key: _numbers(value) if isinstance(value, Mapping) else value for key, value in how.items()}

    def change(content: dict[str, Any]) -> dict[str, Any]:
        if weights is not None and content.get(SUMS, {}).get(WEIGHTS) != weights:
            raise ModelError(f"{folder}: its model was replaced while the old one was evaluated: evaluate it again")
        where = {"weights": content["precision"], **kept}
        scores, data = dict(content.get("scores", {})), dict(content.get("data", {}))
        splits = dict(data.get("splits", {}))
        for split, directions in results.items():
            scores[name + split] = {one: {**result._asdict(), **where} for one, result in directions.items()}
            splits[name + split] = tests[split]
        return {**content, "scores": scores, "data": {**data, "splits": splits}}

    try:
        if not amend(folder, change):
            report(f"{folder}: the scores are in config.json; the model's card was edited and stays as it is")
    except (ModelError, StorageError) as error:
        report(f"the scores are not on the model's card: {error}")


def _numbers(node: Mapping[str, object]) -> dict[str, object]:
    """What a node builds, and the numbers among its keys."""
    return {key: value for key, value in node.items() if key == TARGET or isinstance(value, int | float)}


def print_report(results: Results, console: Console) -> None:
    """Prints one row a test set and direction, and below it the signature of every column."""
    table = Table("test set", "direction")
    for name in ("BLEU", "chrF", "TER", "exact %"):
        table.add_column(name, justify="right")
    signatures: dict[str, None] = {}
    for split, directions in results.items():
        for direction, scores in directions.items():
            numbers = (scores.bleu, scores.chrf, scores.ter, scores.exact)
            table.add_row(split, direction, *(f"{number:.1f}" for number in numbers))
            signatures.update(dict.fromkeys(f"{name}: {text}" for name, text in scores.signature.items()))
    console.print(table)
    for signature in signatures:
        console.print(signature, highlight=False, soft_wrap=True)
