"""`seq2seq score`: how probable each line of a text is to a language model, or each translation to a translator."""

from pathlib import Path
from typing import Literal

from seq2seq.cli.open_models import direction, files, folders, read_models, stream_or_file, use_threads
from seq2seq.cli.paths import INPUT, OUTPUT, check_places
from seq2seq.config.build import call
from seq2seq.device import tune_reading
from seq2seq.errors import ConfigError
from seq2seq.io.text import writing
from seq2seq.model_folder.config import read_config
from seq2seq.model_folder.folder import find
from seq2seq.tasks.language_model.file import score_file
from seq2seq.tasks.language_model.folder import chosen, open_language_model
from seq2seq.tasks.language_model.scorer import Scorer
from seq2seq.translation.api import load
from seq2seq.translation.scoring import PairScorer, score_pairs


def run(
    model: Path | list[Path],
    weights: list[float] | None,
    language: str | None,
    source: str | None,
    target: str | None,
    input: Path | None,
    translations: Path | None,
    output: Path | None,
    totals: Path | None,
    output_format: Literal["text", "json"],
    alignments: Path | None,
    top_k: int,
    max_length: int,
    batch_tokens: int,
    precision: str,
    cores: int | None,
) -> int:
    """Writes the score of each line; sums over all go to standard error."""
    use_threads(cores)
    places = folders(model)
    check_places(
        {"input": stream_or_file(input, INPUT), "translations": files(translations), "model": read_models(model)},
        {"output": stream_or_file(output, OUTPUT), "totals": files(totals), "alignments": files(alignments)},
    )
    if len(places) > 1 or read_config(find(places[0]))["kind"] == "translator":
        _refuse({"language": language, "top_k": top_k or None}, places[0], "a translator")
        tune_reading()
        translator = load(places, number_format=precision, weights=weights)
        languages = direction(source, target, translator.directions)
        scorer = PairScorer(translator, max_length)
        result = score_pairs(scorer, *languages, input, translations, output, output_format, alignments).to_json()
    else:
        given = {"source": source, "target": target, "translations": translations, "alignments": alignments}
        _refuse({**given, "weights": weights}, places[0], "no translator")
        if top_k and output_format == "text":
            raise ConfigError("top_k: text has no room for other tokens: choose output_format=json")
        limits = {"batch_tokens": batch_tokens, "top_k": top_k}
        reader: Scorer = call(Scorer, {**open_language_model(places[0], precision, cores), **limits})
        result = score_file(reader, chosen(language, reader.languages), input, output, output_format).to_json()
    if totals is not None:
        with writing(totals) as write:
            write([result])
    return 0


def _refuse(given: dict[str, object], model: Path, kind: str) -> None:
    """Raises ConfigError for what a model of this kind would ignore."""
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{name}: not supported by {model}, which is {kind}: leave it out")
