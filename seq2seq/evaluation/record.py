"""Scores of tests in the model's own folder: in config.json's table, and on its card."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seq2seq.config.build import TARGET
from seq2seq.data.corpus.base import Corpus
from seq2seq.errors import ModelError, StorageError
from seq2seq.evaluation.evaluate import Results
from seq2seq.model_folder.config import SUMS
from seq2seq.model_folder.folder import WEIGHTS, amend


def record_scores(
    folder: Path,
    name: str,
    corpus: Corpus,
    results: Results,
    how: Mapping[str, object],
    report: Callable[[str], None],
    weights: str | None = None,
) -> None:
    """Adds `results` on splits of the corpus called `name` to a run's or a model's folder; older ones give way.

    `how` is what they also depend on; of nodes in it, such as the search, only numbers are kept: no file's place on
    this machine. `report` is told what cannot be written. `weights`: the checksum of those that were evaluated, where
    it is known; others may lie in the folder of a run that is still training.
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
