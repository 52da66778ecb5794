"""`seq2seq evaluate`: a model on test sets, or a file of translations against a file of references."""

import sys
from pathlib import Path

import yaml
from rich.console import Console

from seq2seq.cli.model_facts import corpus_name
from seq2seq.cli.open_models import FusionNode, Node, files, fusion_model, open_translator, process_count, read_models
from seq2seq.cli.paths import check_places
from seq2seq.cli.prepare import text_places
from seq2seq.config.aliases import renamed_keys
from seq2seq.config.build import build, build_all
from seq2seq.data.corpus.base import Corpus
from seq2seq.errors import ConfigError, ModelError
from seq2seq.evaluation.evaluate import (
    RESULTS,
    Results,
    evaluate,
    evaluate_files,
    print_report,
    record_scores,
    save,
    written,
)
from seq2seq.model_folder.config import SUMS, read_config
from seq2seq.model_folder.folder import WEIGHTS, find


def run(
    model: Path | list[Path] | None,
    weights: list[float] | None,
    fusion: FusionNode,
    coverage_penalty: float,
    test: list[str] | None,
    noise: Node,
    seed: int,
    hypotheses: Path | None,
    references: Path | None,
    target: str | None,
    output: Path | None,
    precision: str,
    cores: int | None,
    search: Node,
    translator: Node,
    corpus: Node | None = None,
) -> int:
    """Prints the table of all scores; those of a model are written to evaluation.json too."""
    if hypotheses or references:
        if noise:
            raise ConfigError("noise: needs a model that translates noisy text; set model= instead of hypotheses=")
        if model or not (hypotheses and references and target):
            raise ConfigError("expected hypotheses=, references= and target= together, without model=: give all three")
        if output:
            check_places(
                {"hypotheses": files(hypotheses), "references": files(references)}, {"output": [output / RESULTS]}
            )
        scores = evaluate_files(hypotheses, references, target, _say)
        results: Results = {references.name: {target: scores}}
        if output:
            save(results, output / RESULTS)
    elif model:
        first = model if isinstance(model, Path) else model[0]
        if output is None and not isinstance(model, Path):
            raise ConfigError("output: expected a folder for the scores of an ensemble")
        node = corpus or _corpus_of_run(first)
        text: Corpus = build({**node, "test": test} if test else node, where="corpus")
        noises = build_all(noise, "noise")
        folder, read = output or first, read_models(model, fusion_model(fusion))
        check_places({"model": read, "corpus": text_places(text)}, {"output": written(text, folder, noises)})
        weights_sum = read_config(find(first))[SUMS].get(WEIGHTS)
        processes = process_count(cores)
        chosen = open_translator(model, weights, search, translator, precision, fusion, coverage_penalty)
        with chosen.in_processes(processes):
            results = evaluate(chosen, text, folder, _say, noises, seed)
        if output is None and fusion["language_model"] is None:
            how = {"search": search, "precision": precision}
            clean = {split: results[split] for split in text.test}
            record_scores(first, corpus_name(node), text, clean, how, _say, weights_sum)
    else:
        raise ConfigError(
            "model: expected a run folder or a model folder, or else hypotheses=, references= and target="
        )
    print_report(results, Console(width=None if sys.stdout.isatty() else 100))
    return 0


def _corpus_of_run(folder: Path) -> Node:
    """The corpus that a run was trained on. Raises ModelError where `folder` is no run."""
    path = folder / "config.yaml"
    try:
        node: Node = renamed_keys(yaml.safe_load(path.read_text("utf-8")))["corpus"]
    except (OSError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ModelError(f"{folder}: no run with a config.yaml; choose the text to score with corpus=") from error
    return node


def _say(message: str) -> None:
    print(message, file=sys.stderr)
