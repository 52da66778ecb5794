"""How a classifier or tagger does on held-out text while it is trained."""

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.loader.batch import Batch
from seq2seq.network.classifier import Classifier
from seq2seq.network.tagger import Tagger
from seq2seq.tasks.labelling.label_metrics import LabelCounts
from seq2seq.tasks.labelling.labeller import probabilities


class HeldOut:
    """Scores of the batches of `batches()`: nats a label; accuracy and macro F1 in percent, of a tagger lines too."""

    def __init__(
        self,
        model: Classifier | Tagger,
        names: Sequence[str],
        batches: Callable[[], Iterable[Batch]],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.model, self.names, self.batches = model, names, batches
        self.dtype, self.device = dtype, device

    @torch.inference_mode()
    def __call__(self) -> dict[str, float]:
        """`{"loss": 0.1, "accuracy": 97.1, "macro_f1": 96.9}`, with the model in evaluation mode."""
        counts = LabelCounts()
        nats = 0.0
        for batch in self.batches():
            result = probabilities(self.model, batch, self.dtype, self.device).cpu()
            asked = batch.target_mask[:, 1:]
            gold = batch.target[:, 1:][asked]
            nats -= float(result.gather(1, gold.unsqueeze(1)).log().sum())
            each = asked.sum(1).tolist()
            for predicted, wanted in zip(torch.split(result.argmax(1), each), torch.split(gold, each), strict=True):
                counts.add(self._named(predicted), self._named(wanted))
        one = counts.agreement()
        scores = {"loss": nats / max(1, one.labels), "accuracy": one.accuracy, "macro_f1": one.macro_f1}
        return {**scores, "lines": one.lines} if isinstance(self.model, Tagger) else scores

    def _named(self, labels: Int[Tensor, " asked"]) -> list[str]:
        return [self.names[label] for label in labels.tolist()]
