"""A language model that a translator listens to."""

from pathlib import Path

from seq2seq.config.typecheck import place
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import default_device
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.fusion import Fusion, TranslationStep
from seq2seq.tasks.language_model import language_model_folder as model_folder


def fuse(
    network: TranslationStep, tokenizer: Tokenizer, language_model: str | Path | None, weight: float | None
) -> TranslationStep:
    """The network with the language model of a run folder or model folder beside it; without one as it is.

    Raises ModelError where that was trained with another tokenizer than the network's, ConfigError unless folder and
    weight come together.
    """
    if language_model is None and weight is None:
        return network
    if language_model is None or weight is None:
        raise ConfigError("fusion: expected both a language_model and its weight, such as fusion.weight=0.2, or none")
    result = model_folder.load(place(language_model))
    if result.tokenizer.models[-1] != tokenizer.models[-1]:
        raise ModelError(
            f"fusion.language_model: {language_model} has another tokenizer than the translator: train it with "
            "seq2seq train_language_model tokenizer=existing tokenizer.folder=(the translator's)"
        )
    return Fusion(network, result.model.to(default_device()), weight)
