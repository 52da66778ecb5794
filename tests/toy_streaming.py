"""A training on running text small enough to be killed: `python toy_streaming.py FOLDER TEXT UPDATES PAUSE`.

TEXT is a folder that toy_language.prepared wrote into; PAUSE is how many seconds every update waits.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from toy_language import prepared, toy_language_model
from toy_training import SCHEDULE, SETTINGS, export

from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.stream import Stream
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.optimizer import Adam
from seq2seq.training.trainer import Trainer
from seq2seq.training.truncated_bptt import TruncatedBPTT
from seq2seq.training.validation import ValidationLoss

STREAMS, LENGTH, PARTS = 6, 4, 3


class Slow:
    """Batches that take their time."""

    def __init__(self, stream: Stream, pause: float) -> None:
        self.stream, self.pause = stream, pause

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """As the stream's."""
        for batch in self.stream.batches(epoch, start):
            time.sleep(self.pause)
            yield batch

    def batch_count(self, epoch: int) -> int:
        """As the stream's."""
        return self.stream.batch_count(epoch)

    def texts(self, batch: Batch) -> list[tuple[str, str]]:
        """As the stream's."""
        return self.stream.texts(batch)


def streaming_trainer(
    folder: Path, text: PreparedCorpus, updates: int, pause: float = 0.0, threads: int = 1
) -> Trainer:
    """A checkpoint after every update, three batches a chunk, dropout, validation on running text too."""
    model = toy_language_model("lstm", dropout=0.2)
    loss = ValidationLoss(TruncatedBPTT(model, 1), lambda: _stream(text, "valid", 1).batches(0), torch.float32)

    def validate() -> Mapping[str, float]:
        return {"loss": loss()}

    return Trainer(
        replace(SETTINGS, updates=updates, cores=threads, accumulation=PARTS),
        TruncatedBPTT(model, PARTS),
        Likelihood(),
        Slow(_stream(text, "train", PARTS), pause),
        Adam(learning_rate=0.02, beta1=0.9, beta2=0.98, epsilon=1e-9, groups=[]),
        SCHEDULE,
        validate,
        export,
        folder,
        {},
        text.fingerprint,
    )


def _stream(text: PreparedCorpus, split: str, parts: int) -> Stream:
    store = text.train if split == "train" else text.valid[split]
    return Stream(store, text.tokenizer, STREAMS, LENGTH, parts, 0)


if __name__ == "__main__":
    text = prepared(Path(sys.argv[2]))
    outcome = streaming_trainer(Path(sys.argv[1]), text, int(sys.argv[3]), float(sys.argv[4])).train()
    sys.exit(outcome.exit_code)
