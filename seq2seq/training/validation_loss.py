"""The loss of held-out text under teacher forcing."""

from collections.abc import Callable, Iterable

import torch

from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.device import autocast
from seq2seq.training.criterion import Criterion
from seq2seq.training.gradient import to_device
from seq2seq.training.trainable import Trainable


class ValidationLoss:
    """Mean negative log-likelihood in nats per target token, without label smoothing, of the batches of `batches()`."""

    def __init__(self, model: Trainable, batches: Callable[[], Iterable[Batch]], precision: torch.dtype) -> None:
        self.model = model
        self.batches = batches
        self.precision = precision

    @torch.inference_mode()
    def __call__(self) -> float:
        """With dropout off, whatever mode the model is in, which it keeps."""
        criterion, device = Criterion(0.0), self.model.output_weight.device
        nats, tokens = 0.0, 0
        training = self.model.training
        self.model.train(False)
        try:
            for batch in self.batches():
                batch = to_device(batch, device)
                with autocast(self.precision, device):
                    features = self.model(batch)
                    loss = criterion(features, self.model.output_weight, self.model.output_bias, predicted(batch))
                nats += float(loss.nll)
                tokens += loss.tokens
        finally:
            self.model.train(training)
        return nats / max(1, tokens)
