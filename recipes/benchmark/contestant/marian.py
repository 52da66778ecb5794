"""Marian 1.12.42 (Junczys-Dowmunt et al. 2018), as pymarian brings it.

It has one width for all cells: with 384, all embeddings tied, it has 11.2 million parameters, as ours has.
"""

import subprocess
from pathlib import Path

import yaml
from captions import Captions
from contestant.base import BATCH, LONGEST, SMALL_UPDATE, Command, Contestant, UnavailableError, environment, spend

SINGLE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # within each of its own threads
EVERY = "200u"  # updates between checkpoints
MODEL = {
    **{"type": "s2s", "dim-emb": 256, "dim-rnn": 384, "enc-type": "bidirectional", "enc-cell": "lstm", "enc-depth": 2},
    **{"dec-cell": "lstm", "dec-depth": 2, "dec-cell-base-depth": 2, "tied-embeddings-all": True, "dropout-rnn": 0.3},
}
TRAINING = {
    **{
        "label-smoothing": 0.1,
        "cost-type": "ce-mean-words",
        "optimizer": "adam",
        "learn-rate": 0.001,
        "clip-norm": 1.0,
    },
    **{"exponential-smoothing": 0.002, "max-length": LONGEST, "mini-batch": 1000, "mini-batch-words": SMALL_UPDATE},
    **{"mini-batch-round-up": False, "maxi-batch": 100, "sync-sgd": True, "data-threads": 1, "workspace": 2000},
    **{"shuffle-in-ram": True, "seed": 42, "disp-freq": "20u", "save-freq": EVERY, "overwrite": True, "quiet": False},
}


class Marian(Contestant):
    """number_format: `fp32`, or `int8`: weights converted once (`pymarian convert`), products of 8-bit integers."""

    def __init__(self, folder: Path, captions: Captions, programs: Path, number_format: str) -> None:
        self.name = f"Marian 1.12.42, {number_format}"
        self.folder, self.captions, self.number_format = folder / "marian", captions, number_format
        self.place, self.programs = programs / "marian", (programs / "marian" / "bin").absolute()
        self.trained = self.folder / "model.npz"
        self.model = self.folder / "model.int8.bin" if number_format == "int8" else self.trained

    def install(self) -> None:
        environment(self.place, ["pymarian==1.12.42"])

    def train(self, minutes: float, threads: int) -> None:
        if not self.trained.is_file():
            self._train(minutes, threads)
        if self.number_format == "int8":
            files = ["-f", str(self.trained), "-t", str(self.model)]
            command = [str(self.programs / "pymarian"), "convert", *files, "--gemm-type", "intgemm8"]
            subprocess.run(command, check=True, capture_output=True)

    def _train(self, minutes: float, threads: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        side, pieces = self.captions.side, str(self.captions.pieces)
        text = {"train-sets": [str(side("train", "en")), str(side("train", "de"))], "vocabs": [pieces, pieces]}
        settings = {**MODEL, **TRAINING, **text, "model": str(self.trained), "cpu-threads": threads}
        (self.folder / "train.yml").write_text(yaml.safe_dump(settings), "utf-8")
        command = [str(self.programs / "pymarian"), "train", "-c", str(self.folder / "train.yml")]
        spend(minutes, 1, command, self.folder / "train.log")
        if not self.trained.is_file():
            raise UnavailableError(f"no checkpoint after {minutes} minutes: give more --minutes")

    def files(self) -> list[Path]:
        return [self.model, self.captions.pieces]

    def options(self, beam: int, threads: int) -> list[str]:
        """What a file and a stream have in common."""
        pieces = str(self.captions.pieces)
        search = ["-b", str(beam), "-n", "1", "--max-length", str(LONGEST), "--cpu-threads", str(threads)]
        return ["-m", str(self.model), "-v", pieces, pieces, *search, "--quiet", "--quiet-translation"]

    def translate(self, source: Path, output: Path, beam: int, threads: int) -> Command:
        batches = ["--mini-batch", str(BATCH), "--maxi-batch", "100", "--maxi-batch-sort", "src", "-w", "512"]
        options = [*self.options(beam, threads), *batches]
        return Command([str(self.programs / "pymarian"), "decode", *options], source, output, variables=SINGLE)

    def stream(self, beam: int) -> Command:
        script = Path(__file__).parent.parent / "stream" / "marian_lines.py"
        return Command([str(self.programs / "python"), str(script), *self.options(beam, 1)], variables=SINGLE)
