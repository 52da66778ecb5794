"""A training run small enough to be killed often: a translator of nothing, and its data, validation and settings.

As a program, `python toy_training.py FOLDER key=value ...`, it trains and prints how that ended.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from seq2seq.data.loader.batch import Batch
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.optimizer import Adam
from seq2seq.training.schedule.base import Schedule
from seq2seq.training.schedule.plateau import Plateau
from seq2seq.training.settings import Settings
from seq2seq.training.trainer import Outcome, Trainer
from seq2seq.training.validation import ValidationLoss

VOCABULARY, WIDTH, BATCHES = 19, 8, 7
SETTINGS = Settings(
    updates=30,
    epochs=None,
    hours=None,
    patience=None,
    metric="loss",
    validate_every=5,
    report_every=3,
    checkpoint_minutes=0.0,
    accumulation=2,
    label_smoothing=0.1,
    clip_norm=0.5,
    ema_decay=0.9,
    average_checkpoints=3,
    average_of="best",
    precision="fp32",
    cores=1,
    log_gradient_noise=False,
    timeout=60.0,
    seed=3,
    allow_changed=(),
)
SCHEDULE = Plateau(warmup=4, factor=0.5, patience=1, min_lr_ratio=0.1)


class ToyModel(nn.Module):
    """Guesses each token from the one before it and the mean of the source, through dropout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.inner = nn.Linear(2 * WIDTH, WIDTH)
        self.dropout = nn.Dropout(0.2)
        self.output_weight = self.embedding.weight
        self.output_bias = nn.Parameter(torch.zeros(VOCABULARY))

    def forward(self, batch: Batch) -> Tensor:
        """Features of the real target tokens."""
        mask = batch.source_mask[..., None]
        source = (self.embedding(batch.source) * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
        before = self.embedding(batch.target[:, :-1])
        features = self.dropout(self.inner(torch.cat((before, source.expand_as(before)), -1)).tanh())
        real: Tensor = features[batch.target_mask[:, 1:]]
        return real


class ToyBatches:
    """Seven batches an epoch, a pure function of (epoch, number)."""

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """From number `start` on."""
        return (toy_batch(100 * epoch + number) for number in range(start, BATCHES))

    def batch_count(self, epoch: int) -> int:
        """The same for every epoch."""
        return BATCHES

    def texts(self, batch: Batch) -> list[tuple[str, str]]:
        """Its ids."""
        return [(str(source), str(target)) for source, target in zip(batch.source, batch.target, strict=True)]


def toy_batch(seed: int, rows: int = 4) -> Batch:
    """Random rows of 3 to 6 tokens; a target is its source, each id one higher."""
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 7, (rows,), generator=random)
    mask = torch.arange(6) < lengths[:, None]
    source = torch.randint(4, VOCABULARY - 1, (rows, 6), generator=random) * mask
    return Batch(source, mask, (source + 1) * mask, mask, torch.arange(rows))


def export(
    folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float], spent: Mapping[str, float | int]
) -> None:
    """A model folder of sorts."""
    folder.mkdir(exist_ok=True)
    save_file({name: tensor.clone() for name, tensor in weights.items()}, folder / "model.safetensors")
    (folder / "scores.json").write_text(json.dumps(scores))


def toy_trainer(
    folder: Path, settings: Settings = SETTINGS, schedule: Schedule = SCHEDULE, pause: float = 0.0
) -> Trainer:
    """Validation lasts `pause` seconds longer than it needs."""
    model = ToyModel()
    loss = ValidationLoss(model, lambda: [toy_batch(-1), toy_batch(-2)], torch.float32)

    def validate() -> Mapping[str, float]:
        time.sleep(pause)
        return {"loss": loss()}

    optimizer = Adam(learning_rate=0.05, beta1=0.9, beta2=0.98, epsilon=1e-9, groups=[])
    configuration = {"trainer": dict(vars(settings)), "optimizer": dict(vars(optimizer))}
    return Trainer(
        settings, model, Likelihood(), ToyBatches(), optimizer, schedule, validate, export, folder, configuration, {}
    )


def main(arguments: list[str]) -> Outcome:
    """FOLDER and settings, the pause of validation among them."""
    values = {name: json.loads(value) for name, value in (one.split("=") for one in arguments[1:])}
    pause = values.pop("pause", 0.0)
    return toy_trainer(Path(arguments[0]), replace(SETTINGS, **values), pause=pause).train()


if __name__ == "__main__":
    outcome = main(sys.argv[1:])
    print(outcome.reason)
    sys.exit(outcome.exit_code)
