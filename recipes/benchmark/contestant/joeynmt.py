"""JoeyNMT 2.3.0 (Kreutzer et al. 2019), with input feeding; its encoder has 256 cells a direction, its decoder 512."""

import copy
from pathlib import Path
from typing import Any

import torch
import yaml
from captions import Captions
from contestant.base import (
    BATCH,
    LONGEST,
    PICKLED,
    SMALL_UPDATE,
    Command,
    Contestant,
    UnavailableError,
    environment,
    spend,
)

NEEDS = ["numpy", "matplotlib", "pyyaml", "packaging", "sentencepiece==0.2.0", "subword-nmt", "sacrebleu", "tqdm"]
NEEDS += ["datasets", "pandas", "importlib_metadata", "tensorboard", "setuptools<81"]
WORDS = 16  # target tokens of a caption: it counts updates in sentences
LAYERS = {"type": "recurrent", "rnn_type": "lstm", "num_layers": 2, "dropout": 0.3}
EMBEDDINGS = {"embedding_dim": 256, "scale": False, "dropout": 0.3}
DECODER = {"hidden_size": 512, "hidden_dropout": 0.3, "input_feeding": True, "init_hidden": "bridge"}
INITIAL = {"initializer": "xavier_uniform", "bias_initializer": "zeros", "embed_initializer": "normal"}
MODEL = {
    **INITIAL,
    **{"embed_init_weight": 0.1, "lstm_forget_gate": 1.0, "tied_embeddings": True},
    "encoder": {**LAYERS, "embeddings": EMBEDDINGS, "hidden_size": 256, "bidirectional": True},
    "decoder": {**LAYERS, "embeddings": EMBEDDINGS, **DECODER, "attention": "luong"},
}
SCHEDULE = {"scheduling": "warmupinversesquareroot", "learning_rate_peak": 0.002, "learning_rate_warmup": 400}
TRAINING = {
    **SCHEDULE,  # "plateau" gives torch an argument that it no longer has; a constant rate is refused
    **{"optimizer": "adam", "learning_rate": 0.001, "clip_grad_norm": 1.0, "label_smoothing": 0.1, "overwrite": True},
    **{"loss": "crossentropy", "normalization": "tokens", "batch_type": "sentence", "epochs": 10000},
    **{"batch_size": SMALL_UPDATE // WORDS, "validation_freq": 400, "logging_freq": 20, "print_valid_sents": [0]},
    **{"early_stopping_metric": "ppl", "keep_best_ckpts": 1, "shuffle": True},
}
TESTING = {"n_best": 1, "beam_alpha": 1.0, "batch_type": "sentence", "batch_size": BATCH, "eval_metrics": ["bleu"]}


class JoeyNMT(Contestant):
    """Knows fp32 alone on a CPU."""

    name = "JoeyNMT 2.3.0, fp32"

    def __init__(self, folder: Path, captions: Captions, programs: Path) -> None:
        self.folder, self.captions = folder / "joeynmt", captions
        self.place, self.python = programs / "joeynmt", str((programs / "joeynmt" / "bin" / "python").absolute())

    def install(self) -> None:
        release = f"torch=={torch.__version__.partition('+')[0]}"
        environment(self.place, [release, *NEEDS], ["--no-deps", "joeynmt==2.3.0"])

    def train(self, minutes: float, threads: int) -> None:
        if self._model().is_file():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [self.python, "-m", "joeynmt", "train", str(self._configured(1)), "--skip-test"]
        spend(minutes, threads, command, self.folder / "train.log")
        if not self._model().is_file():
            raise UnavailableError(f"no checkpoint after {minutes} minutes: give more --minutes")

    def _model(self) -> Path:
        return self.folder / "model" / "best.ckpt"

    def _configured(self, beam: int) -> Path:
        """A configuration file that searches with this beam."""
        side, captions = self.captions.side, self.captions
        symbols = {f"{name}_id": number for number, name in enumerate(("unk", "pad", "bos", "eos"))}
        subwords = {"model_file": str(captions.pieces), "pretokenizer": "none"}
        common = {"max_length": LONGEST, "level": "bpe", "voc_file": str(captions.vocabulary)}
        common = {**common, "tokenizer_type": "sentencepiece", "tokenizer_cfg": subwords}
        data: dict[str, Any] = {"src": {"lang": "en", **common}, "trg": {"lang": "de", **common}}
        data |= {"dataset_type": "plain", "sample_dev_subset": 200, "special_symbols": symbols}
        data |= {"train": str(side("train", "en").with_suffix("")), "dev": str(side("valid", "en").with_suffix(""))}
        whole = {"name": "captions", "joeynmt_version": "2.3.0", "model_dir": str(self.folder / "model"), "data": data}
        whole |= {"use_cuda": False, "fp16": False, "random_seed": 42, "num_workers": 0, "model": MODEL}
        whole |= {"training": TRAINING, "testing": {**TESTING, "beam_size": beam, "max_output_length": LONGEST}}
        file = self.folder / f"beam_{beam}.yaml"
        file.write_text(yaml.safe_dump(copy.deepcopy(whole)), "utf-8")
        return file

    def files(self) -> list[Path]:
        return [self._model(), self.captions.pieces, self.captions.vocabulary]

    def translate(self, source: Path, output: Path, beam: int, threads: int) -> Command:
        arguments = [self.python, "-m", "joeynmt", "translate", str(self._configured(beam))]
        return Command(arguments, source, output, variables=PICKLED)

    def stream(self, beam: int) -> Command:
        script = Path(__file__).parent.parent / "stream" / "joeynmt_lines.py"
        return Command([self.python, str(script), str(self._configured(beam))], variables=PICKLED)
