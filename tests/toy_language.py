"""A language of three letters: its text, its tokenizer (8 ids: four symbols, a tag, three letters), and a toy model."""

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from toy_network import member
from toy_text import write

from seq2seq.data.cleaning.empty import Empty
from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import PreparedCorpus, prepare
from seq2seq.data.tokenizer.train import TokenizerSettings
from seq2seq.network.language_model import LanguageModel

LETTERS = "ab "
VOCABULARY = 4 + 1 + len(LETTERS)


def lines(count: int, seed: int = 0, longest: int = 9) -> list[str]:
    """Lines that begin and end with a letter; the first has them all."""
    draw = random.Random(seed)
    inner = ["".join(draw.choices(LETTERS, k=draw.randint(0, longest))) for _ in range(count - 1)]
    return ["a b", *(f"{draw.choice('ab')}{part}b" for part in inner)]


def prepared(folder: Path, count: int = 40, languages: Sequence[str] = ("en",)) -> PreparedCorpus:
    """Its text in some languages, each by itself: train and valid."""
    for number, language in enumerate(languages):
        write(folder, "train", {language: lines(count, number)})
        write(folder, "valid", {language: lines(max(4, count // 4), number + 100)})
    corpus = Files(str(folder), list(languages), [], ["train"], ["valid"], [])
    letters = TokenizerSettings("characters", 50, True, False, "identity", False, 1.0, 1.0, 1, [], False)
    return prepare(corpus, {"empty": Empty()}, letters, folder / "cache", 100)


def toy_language_model(
    cell: str = "gru", feed_forward: int = 0, dropout: float = 0.0, sharpness: float = 1.5
) -> LanguageModel:
    """Two layers with weights sharp enough that the state matters, in evaluation mode."""
    torch.manual_seed(0)
    sublayer = member("sublayer", "pre_norm")
    sublayer.keywords["dropout"] = dropout
    sizes = {"embedding": 5, "width": 6, "layers": 2, "feed_forward": feed_forward}
    model = LanguageModel(
        VOCABULARY,
        **sizes,
        tied=False,
        word_dropout=0.0,
        embedding_dropout=dropout,
        cell=member("cell", cell),
        sublayer=sublayer,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(sharpness).add_(torch.randn_like(parameter) * 0.1)
    return model.eval()
