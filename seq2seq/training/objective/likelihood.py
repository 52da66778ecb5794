"""Maximum likelihood: every token is predicted from the real ones before it."""

from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.training.criterion import Criterion, Loss
from seq2seq.training.trainable import Trainable


class Likelihood:
    """Cross-entropy under teacher forcing (Williams & Zipser 1989), with the criterion's label smoothing."""

    def __call__(self, network: Trainable, batch: Batch, criterion: Criterion, update: int) -> Loss:
        return criterion(network(batch), network.output_weight, network.output_bias, predicted(batch))
