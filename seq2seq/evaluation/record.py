"""Scores of tests in the model's own folder: in config.json's table, and on its card."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seq2seq.config import TARGET
from seq2seq.data.corpus.base import Corpus
from seq2seq.errors import ModelError, StorageError
from seq2seq.evaluation.evaluate import Results
from seq2seq.model_folder import amend


def record(
    folder: Path, name: str, corpus: Corpus, results: Results, how: Mapping[str, object], report: Callable[[str], None]
) -> None:
    """Adds `results` on splits of the corpus called `name` to a run's or a model's folder; older ones give way.

    `how` is what they also depend on; of nodes in it, such as the search, only numbers are kept: no file's place on
    this machine. `report` is told what cannot be written.
    """
    kept = {key: _numbers(value) if isinstance(value, Mapping) else value for key, value in how.items()}

    def change(content: dict[str, Any]) -> dict[str, Any]:
        where = {"weights": content["precision"], **kept}
        scores, data = dict(content.get("scores", {})), dict(content.get("data", {}))
        splits = dict(data.get("splits", {}))
        for split, directions in results.items():
            scores[name + split] = {one: {**found._asdict(), **where} for one, found in directions.items()}
            pairs = sum(1 for _ in corpus.pairs(split))
            splits[name + split] = {"use": "test", "pairs": pairs, "sha256": corpus.fingerprint(split)}
        return {**content, "scores": scores, "data": {**data, "splits": splits}}

    try:
        if not amend(folder, change):
            report(f"{folder}: the scores are in config.json; the model's card was edited and stays as it is")
    except (ModelError, StorageError) as error:
        report(f"the scores are not on the model's card: {error}")


def _numbers(node: Mapping[str, object]) -> dict[str, object]:
    """What a node builds, and the numbers among its keys."""
    return {key: value for key, value in node.items() if key == TARGET or isinstance(value, int | float)}
