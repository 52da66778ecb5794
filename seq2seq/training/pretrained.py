"""A run that begins with the weights of a model of its own kind; rows of tables follow what they stand for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seq2seq.data.tokenizer.embedding_remap import EmbeddingRemap, name_rows, piece_rows
from seq2seq.data.tokenizer.labels import FILE, Labels
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ModelError, TrainingError
from seq2seq.model_folder.folder import StoredModel, read
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.optimizer import Moments
from seq2seq.training.parameter_names import names_of
from seq2seq.training.run_config import flat

Axis = Literal["source", "target", "labels"]
TABLES: Mapping[
    str, Mapping[str, Axis]
] = {  # what the rows of a kind's parameters stand for; other parameters have none
    "translator": {
        "source.weight": "source",
        "target.weight": "target",
        "output_weight": "target",
        "output_bias": "target",
    },
    "language_model": {"embedding.weight": "target", "output_weight": "target", "output_bias": "target"},
    "classifier": {"embedding.weight": "source", "output_weight": "labels", "output_bias": "labels"},
    "tagger": {"embedding.weight": "source", "output_weight": "labels", "output_bias": "labels"},
    "generator": {
        "target.weight": "target",
        "output_weight": "target",
        "output_bias": "target",
        "condition.weight": "labels",
    },
}
SIZES = frozenset({"source_vocabulary", "target_vocabulary", "vocabulary", "labels", "conditions", "condition"})


class PretrainedWeights:
    """The weights of the model in `folder`, for a network of the same `kind` that is to be trained further.

    tokenizer, labels: those of the new network (labels where its kind has them); what they share with the old ones, by
    spelling, keeps its row in every table (see data/rows.py). Raises ModelError for a folder of another kind.
    """

    def __init__(self, folder: Path, kind: str, tokenizer: Tokenizer, labels: Labels | None) -> None:
        self.folder = folder
        self.opened: StoredModel = read(folder, kind)
        old = Tokenizer.load(self.opened.place)
        self.rows: dict[Axis, EmbeddingRemap] = {
            "source": piece_rows(old, tokenizer, "source"),
            "target": piece_rows(old, tokenizer, "target"),
        }
        if labels is not None and (self.opened.place / FILE).exists():
            self.rows["labels"] = name_rows(Labels.load(self.opened.place).names, labels.names)
        self.axes = TABLES[kind]

    @torch.no_grad()
    def fill(self, network: nn.Module, node: Mapping[str, Any]) -> list[str]:
        """Gives the network, which `node` built, its weights; what to tell the user, a line each.

        Raises ModelError, which names the first tensor and all keys that differ, where their other sizes are not equal.
        """
        differing = self._differing(node)
        parameters = dict(network.named_parameters())
        called = names_of(network)
        self._check(parameters, called, differing)
        for name, parameter in parameters.items():
            (old,) = self._serving(called[name])
            rows = self._rows(name)
            parameter.copy_(old if rows is None else remapped(parameter, old, rows))
        axes: dict[str, list[str]] = {}  # of each account the axes it is true of
        for axis in dict.fromkeys(self.axes.values()):
            if axis in self.rows:
                axes.setdefault(str(self.rows[axis]), []).append(axis)
        told = [*(f"{' and '.join(names)}: {account}" for account, names in axes.items()), *differing]
        return [f"init_from: {self.folder}: {line}" for line in told]

    def moments(self, network: nn.Module) -> Moments:
        """What the optimiser of the run in `folder` remembered last of each parameter, its rows in their new places.

        Raises TrainingError where the folder has no checkpoint.
        """
        checkpoint = Checkpoints(self.folder / "checkpoints").load()
        if checkpoint is None:
            raise TrainingError(
                f"init_optimizer: {self.folder} has no checkpoint to take an optimiser's memory from: name a run "
                "folder in init_from, or set init_optimizer=false"
            )
        moments: dict[str, dict[str, Tensor]] = {}
        parameters = dict(network.named_parameters())
        for path, tensor in checkpoint.tensors.items():
            group, _, rest = path.partition("/")
            key, _, name = rest.partition("/")
            if group == "optimizer" and name in parameters:
                rows = self._rows(name) if tensor.ndim else None
                moved = (
                    tensor if rows is None else remapped(torch.zeros_like(parameters[name]), tensor, rows, whole=True)
                )
                moments.setdefault(name, {})[key] = moved
        return moments

    def _serving(self, names: Sequence[str]) -> list[Tensor]:
        """The old tensors that a parameter of these names could have: one, unless other tables were tied."""
        return [self.opened.weights[name] for name in names if name in self.opened.weights]

    def _check(
        self, parameters: Mapping[str, nn.Parameter], called: Mapping[str, list[str]], differing: list[str]
    ) -> None:
        for name, parameter in parameters.items():
            rows = self._rows(name)
            expected = parameter.shape if rows is None else (rows.before, *parameter.shape[1:])
            result = self._serving(called[name])
            if [one.shape for one in result] != [torch.Size(expected)]:
                was = " and ".join(str(tuple(one.shape)) for one in result) or "not there"
                raise ModelError(self._mismatch(f"{name} was {was}, is {tuple(parameter.shape)}", differing))
        known = {one for names in called.values() for one in names}
        for name in sorted(self.opened.weights.keys() - known):
            raise ModelError(self._mismatch(f"{name} is not there any more", differing))

    def _rows(self, name: str) -> EmbeddingRemap | None:
        """What becomes of a parameter's rows; None where they stand for nothing."""
        axis = self.axes.get(name)
        return self.rows.get(axis) if axis else None

    def _differing(self, node: Mapping[str, Any]) -> list[str]:
        """The configuration's keys whose values are others than they were."""
        old, new = flat(self.opened.node, "model"), flat(node, "model")
        sizes = {f"model.{name}" for name in SIZES}
        keys = sorted((old.keys() | new.keys()) - sizes)
        return [f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in keys if old.get(key) != new.get(key)]

    def _mismatch(self, what: str, differing: list[str]) -> str:
        listed = "".join(f"\n  {line}" for line in differing) or " nothing (the network's code is another)"
        return (
            f"init_from: {self.folder} holds another network: {what}. What differs in the configuration:{listed}\n"
            "Give the values it had, or leave init_from out."
        )


def remapped(new: Tensor, old: Tensor, rows: EmbeddingRemap, whole: bool = False) -> Tensor:
    """`new` with the rows that it has from `old`; with `whole`, only rows that are kept as they were."""
    result = new.clone()
    result[list(rows.kept)] = old[list(rows.kept.values())].to(result)
    if not whole:
        for row, origins in rows.composed.items():
            result[row] = old[origins].mean(0).to(result)
    return result
