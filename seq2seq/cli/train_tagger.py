"""`seq2seq train_tagger`: lines of tokens, each token with a label, become a tagger."""

from dataclasses import dataclass
from typing import ClassVar

from seq2seq.cli.train_labelled import LabelledJob
from seq2seq.data.tokenizer.labelled_tokenizer import TagTokenizer
from seq2seq.device import default_device
from seq2seq.tasks.labelling.label_metrics import HeldOut


@dataclass(frozen=True, kw_only=True)
class TrainTagger(LabelledJob):
    """A training of a tagger."""

    kind: ClassVar[str] = "tagger"

    def train(self) -> int:
        parts = self.parts(TagTokenizer)
        names = parts.tokenizer.labels.names
        return self.fit_parts(parts, HeldOut(parts.network, names, parts.held_out, parts.dtype, default_device()))


run = TrainTagger
