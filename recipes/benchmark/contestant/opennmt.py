"""OpenNMT-py 3.5.1 (Klein et al. 2017); its encoder has 256 cells a direction, its decoder 512, with input feeding."""

import subprocess
from pathlib import Path

import yaml
from captions import Captions
from contestant.base import (
    BATCH,
    LONGEST,
    PICKLED,
    UPDATE,
    Command,
    Contestant,
    UnavailableError,
    limited,
    spend,
)
from opennmt import MODEL, installed

PLACES = int(1.2 * UPDATE)  # its updates are counted with padding
EVERY = 200  # updates between checkpoints
CONFIGURED = {
    **{"share_embeddings": True, "average_decay": 0.002, "report_every": 20, "save_checkpoint_steps": EVERY},
    **{"keep_checkpoint": 2, "src_seq_length": LONGEST, "tgt_seq_length": LONGEST, "overwrite": True},
    **{"src_vocab_size": 8000, "tgt_vocab_size": 8000, "vocab_size_multiple": 1, "batch_size": PLACES},
}


class OpenNMT(Contestant):
    """Knows fp32 alone on a CPU: it takes `-precision int8`, compares that text with torch.int8, and stays in fp32."""

    name = "OpenNMT-py 3.5.1, fp32"

    def __init__(self, folder: Path, captions: Captions, programs: Path) -> None:
        self.folder, self.captions = folder / "opennmt", captions
        self.place, self.programs = programs / "opennmt", (programs / "opennmt" / "bin").absolute()
        self.model = self.folder / "model.pt"

    def install(self) -> None:
        installed(self.place)

    def train(self, minutes: float, threads: int) -> None:
        if not self._checkpoints():
            self._train(minutes, threads)
        newest = max(self._checkpoints(), key=lambda file: file.stat().st_mtime)
        if not self.model.is_file() or self.model.stat().st_mtime < newest.stat().st_mtime:
            files = ["-m", str(newest), "-o", str(self.model)]  # the same without the optimiser's state
            release = [str(self.programs / "onmt_release_model"), *files]
            subprocess.run(release, check=True, capture_output=True, env={**limited(1), **PICKLED})

    def _train(self, minutes: float, threads: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        side, words = self.captions.side, str(self.captions.counted)
        text = {"path_src": str(side("train", "en")), "path_tgt": str(side("train", "de")), "weight": 1}
        pieces = {"src_subword_model": str(self.captions.pieces), "tgt_subword_model": str(self.captions.pieces)}
        data = {"data": {"text": {**text, "transforms": ["sentencepiece", "filtertoolong"]}}, "bucket_size": 29000}
        places = {"src_vocab": words, "tgt_vocab": words, "save_data": str(self.folder / "data")}
        settings = {**MODEL, **CONFIGURED, **data, **pieces, **places, "save_model": str(self.folder / "model")}
        (self.folder / "train.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        command = [str(self.programs / "onmt_train"), "-config", str(self.folder / "train.yaml")]
        spend(minutes, threads, command, self.folder / "train.log")
        if not self._checkpoints():
            raise UnavailableError(f"no checkpoint after {minutes} minutes: give more --minutes")

    def _checkpoints(self) -> list[Path]:
        return list(self.folder.glob("model_step_*.pt"))

    def files(self) -> list[Path]:
        return [self.model, self.captions.pieces]

    def options(self, beam: int) -> list[str]:
        """What a file and a stream have in common."""
        pieces, model = str(self.captions.pieces), str(self.model)
        subwords = ["-transforms", "sentencepiece", "-src_subword_model", pieces, "-tgt_subword_model", pieces]
        return ["-model", model, "-beam_size", str(beam), "-gpu", "-1", *subwords]

    def translate(self, source: Path, output: Path, beam: int, threads: int) -> Command:
        batches = ["-batch_size", str(BATCH), "-batch_type", "sents"]
        files = ["-src", str(source), "-output", str(output)]
        return Command(
            [str(self.programs / "onmt_translate"), *files, *self.options(beam), *batches], None, None, PICKLED
        )

    def stream(self, beam: int) -> Command:
        script = Path(__file__).parent.parent / "stream" / "opennmt_lines.py"
        arguments = [str(self.programs / "python"), str(script), *self.options(beam), "-src", "-"]
        return Command(arguments, variables=PICKLED)
