"""The text that all contestants train on, translate and are judged by, as plain files, and the pieces they share."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from models import TEXT
from omegaconf import OmegaConf
from sentencepiece import SentencePieceProcessor

from seq2seq.config.build import build, configuration_folder

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")


class Captions(NamedTuple):
    """Files: parallel text (`train.en`, `train.de`, ...), and one model of pieces in the forms that toolkits read."""

    folder: Path

    def side(self, split: str, language: str) -> Path:
        """One language of `train`, `valid` or `test`."""
        return self.folder / f"{split}.{language}"

    @property
    def pieces(self) -> Path:
        """Our tokenizer.model; sentencepiece's format. Marian knows it by the ending."""
        return self.folder / "pieces.spm"

    @property
    def vocabulary(self) -> Path:
        """A piece a line, without the symbols that every toolkit adds by itself."""
        return self.folder / "vocabulary.txt"

    @property
    def counted(self) -> Path:
        """The same, each with a count, as OpenNMT-py reads it."""
        return self.folder / "vocabulary.tsv"


def written(folder: Path, pieces: Path) -> Captions:
    """The files in a folder, made where they are not there yet, from Multi30k and a tokenizer.model."""
    captions = Captions(folder)
    if captions.counted.is_file():
        return captions
    folder.mkdir(parents=True, exist_ok=True)
    with initialize_config_dir(str(configuration_folder().absolute()), version_base="1.3"):
        node: Any = OmegaConf.to_container(compose("train", TEXT), resolve=True)
    corpus = build(node["corpus"], where="corpus")
    for name, splits in (("train", corpus.train), ("valid", corpus.valid), ("test", corpus.test)):
        pairs = [pair for split in splits for pair in corpus.pairs(split)]
        for language, lines in (("en", [one.source for one in pairs]), ("de", [one.target for one in pairs])):
            captions.side(name, language).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    shutil.copyfile(pieces, captions.pieces)
    processor = SentencePieceProcessor(model_file=str(pieces))
    listed = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    listed = [piece for piece in listed if piece not in SPECIAL]
    captions.vocabulary.write_text("".join(f"{piece}\n" for piece in listed), "utf-8")
    captions.counted.write_text("".join(f"{piece}\t1\n" for piece in listed), "utf-8")
    return captions


def lines(file: Path) -> list[str]:
    """Those of a text; only a newline ends one."""
    text = file.read_bytes().decode("utf-8", "replace")
    return text.removesuffix("\n").split("\n") if text else []
