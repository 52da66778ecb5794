"""Parts of lines to hypotheses, batch by batch: at once, or by processes that share one copy of the weights."""

import multiprocessing
import signal
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import cached_property
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch

from seq2seq import symbols
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.device import autocast
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.alignment import Forcing
from seq2seq.network.ensemble import Ensemble
from seq2seq.network.model import Model
from seq2seq.search.base import Deciding, Hypothesis, Request, Search, Start, Step
from seq2seq.translation.details import Detail, Pair, details, padded
from seq2seq.translation.language import Languages
from seq2seq.translation.quiet import Quiet
from seq2seq.translation.repair import Repair
from seq2seq.translation.translation import Status
from seq2seq.translation.words import Span


class Part(NamedTuple):
    """A line to translate, or a part of a long one: its pieces, and what is wanted of its translation (see Request).

    `spans`: the words that each piece holds, where alignments are asked for.
    """

    ids: Sequence[int]
    prefix: Sequence[int] = ()
    required: Sequence[Sequence[int]] = ()
    banned: Sequence[Sequence[int]] = ()
    spans: Sequence[Span] = ()


class Order(NamedTuple):
    """What is wanted of a batch: the language to translate into; `no_repeat` as in Request; what to tell besides."""

    target: str
    no_repeat: int = 0
    tokens: bool = False
    alignments: bool = False


class Answer(NamedTuple):
    """What was found for a part, best first, and what else was asked about each: nothing, or an entry a hypothesis.

    `notes`: what is to be said of it. `seconds`: its share of the time that its batch took.
    """

    hypotheses: list[Hypothesis]
    details: Sequence[Detail] = ()
    notes: tuple[Status, ...] = ()
    seconds: float = 0.0


Parts = Sequence[Part]
Found = list[Answer]


@runtime_checkable
class Network(Protocol):
    """What a translator needs of a model (or of several behind the same two functions)."""

    @property
    def start(self) -> Start: ...

    @property
    def step(self) -> Step: ...


class Searcher:
    """Searches one batch. `dtype`: of the large products.

    repair: what is searched again, if anything. languages: tell what is in another language, where they are known.
    """

    def __init__(
        self,
        model: Network,
        search: Search,
        tokenizer: Tokenizer,
        dtype: torch.dtype,
        device: torch.device,
        repair: Repair | None = None,
        languages: Languages | None = None,
    ) -> None:
        self.model = model
        self.search = search
        self.tokenizer = tokenizer
        self.forbidden = torch.tensor(tokenizer.never_generated, device=device)
        self.dtype = dtype
        self.device = device
        self.repair = repair
        self.languages = languages

    @torch.inference_mode()
    def __call__(self, parts: Parts, order: Order) -> Found:
        """The answer to each part."""
        assert not getattr(self.model, "training", False), "dropout would translate differently every time"
        began = time.perf_counter()
        found = self._found(parts, order)
        repaired = self._repaired(parts, order, found) if self.repair else set()
        answers = [Answer(hypotheses) for hypotheses in found]
        if order.tokens or any(part.spans for part in parts):
            answers = self._detailed(parts, found, order)
        seconds = (time.perf_counter() - began) / len(parts)
        return [
            answer._replace(notes=self._notes(answer, number in repaired, order), seconds=seconds)
            for number, answer in enumerate(answers)
        ]

    def _found(self, parts: Parts, order: Order) -> list[list[Hypothesis]]:
        """Each part's hypotheses, best first."""
        with autocast(self.dtype, self.device):
            found = self.search(self.model.start, self.model.step, self.request(parts, order))
        if isinstance(self.search, Deciding):
            found = [self._decided(self.search, hypotheses, order.target) for hypotheses in found]
        return found

    def _repaired(self, parts: Parts, order: Order, found: list[list[Hypothesis]]) -> set[int]:
        """Searches again where that is needed; the numbers of the parts whose hypotheses it could replace."""
        assert self.repair is not None
        needed = [row for row, part in enumerate(parts) if self.repair.needed(part.ids, found[row][0])]
        if not needed:
            return set()
        again = self._found([parts[row] for row in needed], order._replace(no_repeat=self.repair.no_repeat))
        better = {
            row: new
            for row, new in zip(needed, again, strict=True)
            if self.repair.better(parts[row].ids, found[row][0], new[0])
        }
        for row, new in better.items():
            found[row] = new
        return set(better)

    def _notes(self, answer: Answer, repaired: bool, order: Order) -> tuple[Status, ...]:
        """What is to be said of an answer, but for what its text shows."""
        best = answer.hypotheses[0]
        foreign = self.languages is not None and self.languages.foreign(best.tokens, order.target)
        said = {Status.REPAIRED: repaired, Status.OFF_TARGET: foreign, Status.TRUNCATED: not best.finished}
        return tuple(status for status, true in said.items() if true)

    def _detailed(self, parts: Parts, found: list[list[Hypothesis]], order: Order) -> Found:
        """The hypotheses with what else is asked about them."""
        asked = [bool(order.tokens or part.spans) for part in parts]
        pairs = [
            Pair(part.ids, one.tokens, one.finished, part.spans)
            for part, hypotheses, wanted in zip(parts, found, asked, strict=True)
            for one in hypotheses
            if wanted
        ]
        aligned = any(part.spans for part in parts)
        with autocast(self.dtype, self.device):
            told = iter(details(self.forcing, self.tokenizer, pairs, order.target, aligned, self.device))
        return [
            Answer(hypotheses, [next(told) for _ in hypotheses] if wanted else ())
            for hypotheses, wanted in zip(found, asked, strict=True)
        ]

    def aligns(self) -> bool:
        """Whether the model can tell what is aligned with what."""
        try:
            self.forcing.check()
        except ConfigError:
            return False
        return True

    @cached_property
    def forcing(self) -> Forcing:
        """Reads given translations with what is inside the network. Raises ConfigError where no model is."""
        network: object = self.model
        while not isinstance(network, Model | Ensemble):
            if not hasattr(network, "network"):
                raise ConfigError("tokens, alignments: this network has no model that could read a translation")
            network = network.network
        return Forcing(network)

    def check_tokens(self) -> None:
        """Raises ConfigError where a search's scores are not those of its model alone."""
        if not isinstance(self.model, Model | Ensemble):
            raise ConfigError(
                "tokens: what else counts here (a language model, coverage) belongs to no token: leave out one of them"
            )

    def request(self, parts: Parts, order: Order) -> Request:
        """The parts as a padded batch, the target language's tag before each."""
        tag = self.tokenizer.tag_id(order.target)
        source, mask = padded([[tag, *part.ids, symbols.EOS] for part in parts], self.device)
        return Request(
            source,
            mask,
            torch.full((len(parts),), tag, device=self.device),
            self.forbidden,
            prefixes=[part.prefix for part in parts] if any(part.prefix for part in parts) else (),
            required=[part.required for part in parts] if any(part.required for part in parts) else (),
            banned=[part.banned for part in parts] if any(part.banned for part in parts) else (),
            no_repeat=order.no_repeat,
            ending=getattr(self.model, "ending", None),
        )

    def _decided(self, search: Deciding, hypotheses: list[Hypothesis], target: str) -> list[Hypothesis]:
        texts = self.tokenizer.decode([one.tokens for one in hypotheses], target)
        return [hypotheses[number] for number in search.decide(texts, target)]


@runtime_checkable
class Searching(Protocol):
    """Takes batches and promises their hypotheses."""

    @property
    def ahead(self) -> int:
        """How many chunks of text may be under way besides the one that is waited for."""
        ...

    def submit(self, parts: Parts, order: Order) -> "Future[Found]":
        """The promise of a batch."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


QUIET = Quiet()
OUTSIDE = "translations that were begun inside in_processes() must be taken before it ends: use list(...) inside"


class AtOnce:
    """Each batch is searched when it is submitted, in this process."""

    ahead = 0

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher

    def submit(self, parts: Parts, order: Order) -> "Future[Found]":
        """See Searching."""
        promise: Future[Found] = Future()
        with QUIET.busy():
            promise.set_result(self.searcher(parts, order))
        return promise

    def close(self) -> None:
        """Nothing to free."""


class Processes:
    """So many forked processes, one thread each: they read the weights where this process has them.

    Threads inside small products wait for each other more than they work. A batch is searched as in one process, so
    their number changes no translation. They end with this process, however it ends.
    """

    ahead = 2

    def __init__(self, searcher: Searcher, count: int) -> None:
        context = multiprocessing.get_context("fork")
        self._closed = False
        self._idle: SimpleQueue[tuple[Connection, Any]] = SimpleQueue()
        self._members: list[tuple[Connection, Any]] = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            others = [pipe for pipe, _ in self._members]
            process = context.Process(target=_serve, args=(searcher, theirs, [ours, *others]), daemon=True)
            with QUIET.alone():
                process.start()
            theirs.close()
            self._members.append((ours, process))
            self._idle.put((ours, process))
        self._threads = ThreadPoolExecutor(count, "searching")  # after the forks; each waits for one process

    def submit(self, parts: Parts, order: Order) -> "Future[Found]":
        """See Searching. The promise raises ModelError where a process failed or vanished."""
        if self._closed:
            raise ModelError(OUTSIDE)
        return self._threads.submit(self._ask, parts, order)

    def close(self) -> None:
        """End the processes; batches that nobody waits for any more are not searched."""
        self._closed = True
        self._threads.shutdown(cancel_futures=True)
        for pipe, process in self._members:
            pipe.close()
            process.join(10)

    def _ask(self, parts: Parts, order: Order) -> Found:
        pipe, process = self._idle.get()
        try:
            pipe.send((parts, order))
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            process.join(1)
            raise ModelError(
                f"a process that translated ended with code {process.exitcode} (-9: killed, most often for memory): "
                "lower threads= or translator.batch_tokens"
            ) from error
        finally:
            self._idle.put((pipe, process))
        if isinstance(answer, str):
            raise ModelError(f"a process that translated failed:\n{answer}")
        found: Found = answer
        return found


def taken(promise: "Future[Found]") -> Found:
    """What was promised. Raises ModelError where the processes have been ended meanwhile."""
    try:
        return promise.result()
    except CancelledError:
        raise ModelError(OUTSIDE) from None


def searching(searcher: Searcher, count: int) -> Searching:
    """By so many processes where a CPU can fork them, else at once with so many threads."""
    if count < 2 or searcher.device.type != "cpu" or "fork" not in multiprocessing.get_all_start_methods():
        torch.set_num_threads(count)
        return AtOnce(searcher)
    torch.set_num_threads(1)
    return Processes(searcher, count)


def _serve(searcher: Searcher, pipe: Connection, others: Sequence[Connection]) -> None:
    """The life of a process: a batch in, its hypotheses out, until the other end closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both often reach the whole group; the main process ends this one
        signal.signal(number, signal.SIG_IGN)
    for other in others:  # ends that were inherited: while anybody holds one, no process sees that it is closed
        other.close()
    while True:
        try:
            parts, order = pipe.recv()
            pipe.send(_answer(searcher, parts, order))
        except (EOFError, OSError):
            return


def _answer(searcher: Searcher, parts: Parts, order: Order) -> Found | str:
    """What the searcher finds, or how it failed."""
    try:
        return searcher(parts, order)
    except Exception:
        return traceback.format_exc()
