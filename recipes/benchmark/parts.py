"""The profile of a training by part: `seq2seq train` on one core, in this process, with the profiler inside."""

import importlib
import pkgutil
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from attribution import MARK, REST, WHOLE, marked, new_profiler, seconds_by_part
from models import FOLDER, MODELS, TEXT, shared_out
from torch.autograd.profiler import record_function

from seq2seq.cli import app as cli
from seq2seq.data.loader.loader import Loader
from seq2seq.device import default_device
from seq2seq.network.attention.base import Attention
from seq2seq.network.decoder.attend import Attend
from seq2seq.network.decoder.base import Decoder
from seq2seq.network.decoder.shared import Shared
from seq2seq.network.encoder import Encoder
from seq2seq.network.layers import Embedding, VariationalDropout, WordDropout
from seq2seq.network.model import Model
from seq2seq.training.criterion import Criterion
from seq2seq.training.run_state import UpdateSums
from seq2seq.training.update import ExponentialAverage, Updater

RUN = FOLDER / "profile"
WARM_UP = 6  # updates before the first that counts
PARTS = ("encoder", "decoder", "attention", "loss", "optimiser", "dropout", "embeddings", "data", REST)


class Profile(NamedTuple):
    """Milliseconds per 1,000 target tokens: by part, and of the whole with the profiler and without it."""

    model: str
    format: str
    milliseconds: dict[str, float]
    whole: float
    without_profiler: float


def profile(model: str, number_format: str, updates: int) -> Profile:
    """That of some updates, after as many without the profiler."""
    shutil.rmtree(RUN, ignore_errors=True)
    budget = [f"trainer.updates={WARM_UP + 2 * updates}", "trainer.validate_every=1000000", "validation.max_lines=1"]
    settings = [*TEXT, *MODELS[model], *shared_out(1), "loader.prefetch=0", f"trainer.precision={number_format}"]
    threads, watch = torch.get_num_threads(), Watch(WARM_UP, updates)
    with marked(places()), watch.watching():
        code = cli.main(["train", *settings, *budget, "trainer.average_checkpoints=0", f"run={RUN}"])
    torch.set_num_threads(threads)
    if code:
        raise SystemExit(f"the profile of {model} ended with code {code}")
    spent = seconds_by_part(watch.profiler.events(), default_device().type == "cuda")
    scale = 1e6 / watch.tokens[1]
    by_part = {part: scale * spent.get(part, 0.0) for part in PARTS}
    return Profile(model, number_format, by_part, scale * watch.seconds[1], 1e6 * watch.seconds[0] / watch.tokens[0])


class Watch:
    """Looks at the updates of a training: after `warm_up` of them at `count`, then at as many under the profiler."""

    def __init__(self, warm_up: int, count: int) -> None:
        self.warm_up, self.count = warm_up, count
        self.profiler = new_profiler()
        self.seconds, self.tokens, self.seen = [0.0, 0.0], [0, 0], 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, every update is looked at."""
        update = Updater.__call__

        def watched(*given: Any) -> UpdateSums:
            self._before()
            sums = update(*given)
            self._after(sums.tokens)
            return sums

        Updater.__call__ = watched
        try:
            yield
        finally:
            Updater.__call__ = update

    def _before(self) -> None:
        if self.seen == self.warm_up + self.count:
            self.profiler.start()
            self._whole = record_function(MARK + WHOLE)
            self._whole.__enter__()
        if self.seen in (self.warm_up, self.warm_up + self.count):
            self._begun = time.perf_counter()

    def _after(self, tokens: int) -> None:
        self.seen += 1
        late = int(self.seen > self.warm_up + self.count)
        if self.seen > self.warm_up:
            self.tokens[late] += tokens
        if self.seen in (self.warm_up + self.count, self.warm_up + 2 * self.count):
            self.seconds[late] = time.perf_counter() - self._begun
        if self.seen == self.warm_up + 2 * self.count:
            self._whole.__exit__(None, None, None)
            self.profiler.stop()


def places() -> list[tuple[Any, str, str]]:
    """The functions that are parts of an update."""
    families = {"decoder": _members(Decoder), "attention": [*_members(Attention), Attend, Shared]}
    found: list[tuple[Any, str, str]] = [(one, "forward", part) for part, group in families.items() for one in group]
    found += [(one, "keys", "attention") for one in families["attention"]]
    found += [(Encoder, "forward", "encoder"), (Embedding, "forward", "embeddings"), (Criterion, "__call__", "loss")]
    found += [
        (Model, "forward", "embeddings")
    ]  # what is not of encoder or decoder: tables and the map before the output
    found += [(one, "forward", "dropout") for one in (VariationalDropout, WordDropout)]
    found += [(torch.nn.utils, "clip_grad_norm_", "optimiser"), (ExponentialAverage, "add", "optimiser")]
    found += [(one, "step", "optimiser") for one in (torch.optim.Adam, torch.optim.AdamW)]
    found += [(torch.optim.Optimizer, "zero_grad", "optimiser"), (Loader, "_batch", "data"), (Loader, "_plans", "data")]
    return found


def _members(family: type) -> list[type]:
    """The classes of a family, all modules of its folder being imported."""
    package = importlib.import_module(family.__module__.rpartition(".")[0])
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return _below(family)


def _below(family: type) -> list[type]:
    return [member for one in family.__subclasses__() for member in (one, *_below(one))]
