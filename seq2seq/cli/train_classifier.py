"""`seq2seq train_classifier`: lines of text, each with a label, become a classifier."""

from dataclasses import dataclass
from typing import ClassVar

from seq2seq.cli.train_labelled import LabelledJob
from seq2seq.data.tokenizer.labelled_tokenizer import ClassTokenizer
from seq2seq.device import default_device
from seq2seq.tasks.labelling.label_metrics import HeldOut


@dataclass(frozen=True, kw_only=True)
class TrainClassifier(LabelledJob):
    """A training of a classifier."""

    kind: ClassVar[str] = "classifier"

    def train(self) -> int:
        parts = self.parts(ClassTokenizer)
        names = parts.tokenizer.labels.names
        return self.fit_parts(parts, HeldOut(parts.network, names, parts.held_out, parts.dtype, default_device()))


run = TrainClassifier
