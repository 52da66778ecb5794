"""Which weights are best: validated, kept, averaged and shipped."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor

from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.device import autocast
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.criterion import Criterion
from seq2seq.training.gradient import to_device
from seq2seq.training.run_state import Best, State
from seq2seq.training.settings import Settings
from seq2seq.training.trainable import Trainable
from seq2seq.training.update import ExponentialAverage, Weights, mean_weights, swapped_weights

Scores = Mapping[str, float]
Interruptible = Callable[[], AbstractContextManager[None]]  # a block that a signal may end; see SignalHandler.at_once
ExportModel = Callable[[Path, Mapping[str, Tensor], Scores, Mapping[str, float | int]], None]


class Selection:
    """Validates the weights that would be exported: the moving average if there is one, else the model's own.

    `trainer.average_checkpoints` of them are kept beside the checkpoints and averaged at the end: the best, or the last
    ones (Vaswani et al. 2017, section 6.1), with the best one kept as well. The folder `model` always holds the best
    weights so far, a checkpoint's or their mean.
    """

    def __init__(
        self,
        settings: Settings,
        model: Trainable,
        average: ExponentialAverage | None,
        validate: Callable[[], Scores],
        export: ExportModel,
        folder: Path,
        checkpoints: Checkpoints,
    ) -> None:
        self.settings = settings
        self.model = model
        self.average = average
        self.parameters = dict(model.named_parameters())
        self.run_validation = validate
        self.export = export
        self.folder = folder
        self.checkpoints = checkpoints

    def validate(self, interruptible: Interruptible) -> Scores:
        """Scores of the weights as they would ship now. A signal ends the validation, never an exchange of weights."""
        return self._scores(self._candidate(), interruptible)

    def consider(self, state: State, scores: Scores) -> bool:
        """Take a validation in: keep its weights if they will be averaged, ship them if they are the very best.

        Returns whether no earlier validation was as good.
        """
        place = self._place(state, scores)
        better = place == 0
        state.waited = 0 if better else state.waited + 1
        state.validated = state.update
        state.constant = state.constant + 1 if self.settings.judge(scores) == state.judged else 1
        state.judged = self.settings.judge(scores)
        this = Best(state.update, scores)
        ranked = [*state.best[:place], this, *state.best[place:]]
        last = self.settings.average_of == "last"
        state.best = ranked[: 1 if last else max(1, self.settings.average_checkpoints)]
        state.recent = (
            [*state.recent, this][-self.settings.average_checkpoints :]
            if last and self.settings.average_checkpoints
            else []
        )
        if state.update in state.kept:
            self.checkpoints.save_best(state.update, self._candidate())
        if state.shipped is None or self.settings.better(scores, state.shipped):
            self._export(state, scores, self._candidate())
        return better

    def judge_again(self, state: State, interruptible: Interruptible) -> None:
        """Take the scores of all kept weights, and of their mean, anew, and ship the best: validation has changed."""
        scores = {
            update: self._scores(self.checkpoints.load_best(update), interruptible) for update in sorted(state.kept)
        }
        again = [Best(update, scores[update]) for update in sorted(one.update for one in state.best)]
        state.best, state.constant = [], 0
        for one in again:
            state.best.insert(self._place(state, one.scores), one)
        state.recent = [Best(one.update, scores[one.update]) for one in state.recent]
        self._export(state, state.scores, self.checkpoints.load_best(state.best[0].update))
        if (mean_scores := self.validate_average(state, interruptible)) is not None:
            self.export_average(state, mean_scores)

    def validate_average(self, state: State, interruptible: Interruptible) -> Scores | None:
        """Scores of the mean of the kept weights, as above; None where there is nothing to average."""
        if self.settings.average_checkpoints < 2 or len(self.averaged(state)) < 2:
            return None
        return self._scores(self._mean(state), interruptible)

    def export_average(self, state: State, scores: Scores) -> None:
        """Ship the mean if it is better than what was shipped so far."""
        if state.shipped is None or self.settings.better(scores, state.shipped):
            self._export(state, scores, self._mean(state))

    def restore_model(self, state: State) -> bool:
        """Write the folder `model` again if it was deleted; returns whether it was. Kept weights are all it needs."""
        if not state.best or state.shipped is None or self.folder.exists():
            return False
        best = state.best[0]
        if state.finished and isinstance(state.shipped, Mapping) and state.shipped != best.scores:
            self._export(state, state.shipped, self._mean(state))
        else:
            self._export(state, best.scores, self.checkpoints.load_best(best.update))
        return True

    def averaged(self, state: State) -> list[Best]:
        """The validations whose weights are averaged at the end."""
        return state.recent if self.settings.average_of == "last" else state.best

    def _place(self, state: State, scores: Scores) -> int:
        """Before which of the best validations this one belongs: of equals the earlier stays in front."""
        worse = (place for place, one in enumerate(state.best) if self.settings.better(scores, one.scores))
        return next(worse, len(state.best))

    def _mean(self, state: State) -> Weights:
        return mean_weights(self.checkpoints.load_best(one.update) for one in self.averaged(state))

    def _candidate(self) -> Weights:
        if self.average is not None:
            return self.average.weights
        return {name: one.detach() for name, one in self.parameters.items()}

    def _scores(self, weights: Weights, interruptible: Interruptible) -> Scores:
        self.model.train(False)
        with swapped_weights(self.parameters, weights), torch.no_grad(), interruptible():
            return dict(self.run_validation())

    def _export(self, state: State, scores: Scores, weights: Weights) -> None:
        with swapped_weights(self.parameters, weights):
            self.export(self.folder, self.model.state_dict(), scores, state.spent)
        state.shipped = scores


class ValidationLoss:
    """Mean negative log-likelihood in nats per target token, without label smoothing, of the batches of `batches()`."""

    def __init__(self, model: Trainable, batches: Callable[[], Iterable[Batch]], precision: torch.dtype) -> None:
        self.model = model
        self.batches = batches
        self.precision = precision

    @torch.inference_mode()
    def __call__(self) -> float:
        """With dropout off; restores the model's mode."""
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
