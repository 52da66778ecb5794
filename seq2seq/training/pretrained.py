"""Starts a run with the weights of a model of the same kind; rows of tables are matched by their meaning."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor, nn

from seq2seq.data.tokenizer.labels import FILE, Labels
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer
from seq2seq.errors import ModelError, TrainingError
from seq2seq.model_folder.folder import StoredModel, read
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.optimizer import Moments
from seq2seq.training.run_config import flat
from seq2seq.training.trainable import names_of

Axis = Literal["source", "target", "labels"]
TABLES: Mapping[
    str, Mapping[str, Axis]
] = {  # the meaning of the rows of a kind's parameters; other parameters have none
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
LONGEST_PIECE = 64  # characters; sentencepiece's default maximum is 16


class EmbeddingRemap(NamedTuple):
    """The rows of a new table of `size` rows that begin as rows of an old one of `before` rows; the others begin anew.

    Rows({0: 0, 1: 7}, {2: [3, 5]}, 4, 9): two rows are kept, one begins as the mean of two old ones, one is new.
    """

    kept: dict[int, int]  # new row: old row
    composed: dict[int, list[int]]  # new row: the old rows whose mean it begins as
    size: int
    before: int

    def __str__(self) -> str:
        kept, composed = len(self.kept), len(self.composed)
        if kept == self.size:
            return f"all {self.size:,} rows kept"
        return f"{kept:,} of {self.size:,} rows kept, {composed:,} begin as means, {self.size - kept - composed:,} anew"


class PretrainedWeights:
    """The weights of the model in `folder`, for a network of the same `kind` that is to be trained further.

    tokenizer, labels: those of the new network (labels where its kind has them); what they share with the old ones, by
    spelling, keeps its row in every table. Raises ModelError for a folder of another kind.
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
        """Copies the weights into the network, which `node` built; returns messages for the user.

        Raises ModelError, with the first tensor and all differing keys, if other sizes differ.
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
        messages = [*(f"{' and '.join(names)}: {account}" for account, names in axes.items()), *differing]
        return [f"init_from: {self.folder}: {line}" for line in messages]

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
        """How a parameter's rows are mapped; None if rows have no meaning."""
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


def piece_rows(old: Tokenizer, new: Tokenizer, side: Side) -> EmbeddingRemap:
    """Symbols, tags, bytes and pieces are kept by their spelling.

    A new piece is put together from the fewest old pieces that spell it, else from its bytes; a new language's tag from
    all old tags.
    """
    old_pieces, new_pieces = _spelt(old, side), _spelt(new, side)
    kept = {number: old_pieces[one] for one, number in new_pieces.items() if one in old_pieces}
    tags = [old.tag_id(language) for language in old.languages]
    pieces = {text: number for (text, kind), number in old_pieces.items() if kind == "piece"}
    bytes_of = {text: number for (text, kind), number in old_pieces.items() if kind == "byte"}
    composed = {new.tag_id(language): tags for language in new.languages if language not in old.languages}
    for (text, kind), number in new_pieces.items():
        if kind == "piece" and number not in kept and (spelling := _composed(text, pieces, bytes_of)):
            composed[number] = spelling
    return EmbeddingRemap(kept, composed, len(new_pieces), len(old_pieces))


def name_rows(old: Sequence[str], new: Sequence[str]) -> EmbeddingRemap:
    """Labels are kept by their names; new ones begin anew."""
    known = {name: number for number, name in enumerate(old)}
    kept = {number: known[name] for number, name in enumerate(new) if name in known}
    return EmbeddingRemap(kept, {}, len(new), len(old))


def _spelt(tokenizer: Tokenizer, side: Side) -> dict[tuple[str, str], int]:
    """Spelling and kind of every id, in order: a piece may look like a byte or a tag that it is not."""
    model = SentencePieceProcessor(model_proto=tokenizer.models[0 if side == "source" else -1])
    ids = range(model.get_piece_size())
    return {(model.id_to_piece(number), _kind(model, number)): number for number in ids}


def _kind(model: SentencePieceProcessor, number: int) -> str:
    if model.is_control(number) or model.is_unknown(number):
        return "control"
    return "byte" if model.is_byte(number) else "piece"


def _composed(text: str, pieces: Mapping[str, int], bytes_of: Mapping[str, int]) -> list[int]:
    """The fewest pieces that spell `text`, a character that none has as its bytes; nothing where even these lack."""
    best: list[list[int] | None] = [[]]
    for end in range(1, len(text) + 1):
        ways = [
            [*before, pieces[text[start:end]]]
            for start in range(max(0, end - LONGEST_PIECE), end)
            if (before := best[start]) is not None and text[start:end] in pieces
        ]
        spelling = [f"<0x{byte:02X}>" for byte in text[end - 1].encode()]
        if (before := best[end - 1]) is not None and all(one in bytes_of for one in spelling):
            ways.append([*before, *(bytes_of[one] for one in spelling)])
        best.append(min(ways, key=len, default=None))
    return best[-1] or []
