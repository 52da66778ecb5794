"""What a run begins with: the keys init_from, init_optimizer and freeze, which all commands that train share."""

from pathlib import Path
from typing import cast

from torch import nn

from seq2seq.cli.prepare import Node, say
from seq2seq.config.build import build
from seq2seq.data.tokenizer.labels import Labels
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.distributed.process_group import ProcessGroup
from seq2seq.training.optimizer import OptimizerSettings, ResumedOptimizer
from seq2seq.training.pretrained import PretrainedWeights
from seq2seq.training.trainable import first_names, freeze


class WarmStart:
    """Weights and optimiser state from another run, and the parameters that are frozen.

    A resumed run reads all that from its own checkpoints, so that `init_from` may be gone. Only the main rank reads
    either: the machines of the others do not need the files. Raises ConfigError for `init_optimizer` without
    `init_from`.
    """

    def __init__(self, run: Path, init_from: Path | None, init_optimizer: bool, freeze: list[str]) -> None:
        if init_optimizer and init_from is None:
            raise ConfigError("init_optimizer: needs init_from=FOLDER, the run whose optimiser state it copies")
        self.checkpoints = Checkpoints(run / "checkpoints")
        self.folder = init_from
        self.init_optimizer = init_optimizer
        self.freeze = freeze

    def optimizer_for(
        self,
        group: ProcessGroup,
        network: nn.Module,
        kind: str,
        model: Node,
        tokenizer: Tokenizer,
        labels: Labels | None,
        optimizer: Node,
    ) -> OptimizerSettings:
        """The optimiser of a new network of the `kind`, which `model` built, after it was given its weights.

        Raises ConfigError, ModelError or TrainingError; see PretrainedWeights and freeze.
        """
        settings = _built(optimizer, network)
        leads = group.rank == 0
        goes_on = group.broadcast(bool(leads and self.checkpoints.contents()))
        if self.folder is not None and not goes_on:
            initial = PretrainedWeights(self.folder, kind, tokenizer, labels) if leads else None
            for line in initial.fill(network, model) if initial else ():
                say(line)
            if group.world_size > 1:
                weights = {name: one.cpu() for name, one in network.state_dict().items()} if initial else {}
                network.load_state_dict(group.broadcast(weights))
            if self.init_optimizer:
                moments = group.broadcast(initial.moments(network) if initial else {})
                settings = ResumedOptimizer(settings, moments)
        for line in freeze(network, self.freeze):
            say(line)
        return settings


def _built(optimizer: Node, network: nn.Module) -> OptimizerSettings:
    """The optimiser's settings; a group may name a tied table by any of its names."""
    settings: OptimizerSettings = build(optimizer, where="optimizer")
    if groups := cast("list[Node]", optimizer.get("groups") or []):
        named = [
            {
                **group,
                "names": first_names(network, cast("list[str]", group["names"]), f"optimizer.groups[{number}].names"),
            }
            for number, group in enumerate(groups)
        ]
        settings = build({**optimizer, "groups": named}, where="optimizer")
    return settings
