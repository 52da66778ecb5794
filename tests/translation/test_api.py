"""The toolkit from Python: what its docstring shows works, threads share a translator, streams are prompt."""

import itertools
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from apart import ROOT
from toy_search import beam
from toy_translator import DIRECTIONS, echo_translator, random_model, random_node, toy_tokenizer

import seq2seq
from seq2seq import errors
from seq2seq.errors import ConfigError, ModelError
from seq2seq.io.live_input import live_chunks
from seq2seq.search.beam import Beam
from seq2seq.search.greedy import Greedy
from seq2seq.search.mbr import MBR
from seq2seq.translation.executor import FORK_GUARD
from seq2seq.translation.folder import save
from seq2seq.translation.translator import Translator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

LINES = [" ".join(["the dog", "two", "big house 🐕", "", "x é"][number % 5 : number % 7]) for number in range(20)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model in runs/ende."""
    place = tmp_path_factory.mktemp("python")
    save(place / "runs" / "ende", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    return place


def test_what_the_docstring_shows_works(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    code = (seq2seq.__doc__ or "").partition("\n")[2]  # all but the first line
    assert code.count("load(") == 3 and ".stream(" in code
    exec(compile(code, "docstring", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3 + 2


def test_every_type_that_a_user_meets_is_a_name_of_the_package() -> None:
    assert all(hasattr(seq2seq, name) for name in seq2seq.__all__) and seq2seq.Translator is Translator
    of_this_package = {one for one in vars(errors).values() if isinstance(one, type)}
    assert of_this_package == {
        one for one in vars(seq2seq).values() if isinstance(one, type) and issubclass(one, Exception)
    }
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        seq2seq.Nonsense  # noqa: B018


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, seq2seq; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_a_search_is_named_with_what_differs_from_its_file(folder: Path) -> None:
    model = folder / "runs" / "ende"
    assert isinstance(seq2seq.load(model).searcher.search, Beam)
    assert isinstance(seq2seq.load(model, "greedy").searcher.search, Greedy)
    own = beam(2)
    assert seq2seq.load(model, own).searcher.search is own
    wide = seq2seq.load(model, {"search": "beam", "beam_size": 7, "n_best": 6})
    assert len(next(wide.translate(["the dog"], "en", "de")).best) == 6
    sampled = seq2seq.load(model, {"search": "mbr", "candidates": {"num_samples": 3}}).searcher.search
    assert isinstance(sampled, MBR) and sampled.candidates.num_samples == 3  # type: ignore[attr-defined]
    assert len(list(seq2seq.load([model, model], "greedy", weights=[2.0, 1.0]).translate(["the dog"], "en", "de"))) == 1


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("beem", r"search: expected one of beam, .*got 'beem', did you mean beam\?"),
        ({"search": "beam", "beam_sise": 3}, r"unknown key search\.beam_sise, did you mean beam_size\?"),
        ({"search": "beam", "beam_size": "wide"}, r"search\.beam_size: expected int, got 'wide'"),
        ({"beam_size": 0}, r"search\.beam_size: expected a positive int, got 0"),
    ],
)
def test_a_search_that_is_none_is_refused(folder: Path, search: str | dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        seq2seq.load(folder / "runs" / "ende", search)


def translator() -> Translator:
    parts = (random_model(), toy_tokenizer(), beam(3, 2, factor=1.0, offset=3), DIRECTIONS, 30, 60)
    return Translator(*parts, torch.float32, torch.device("cpu"), unknown_words="symbols")


def test_threads_get_what_they_would_have_alone() -> None:
    """Some ask for details, some translate back, some use processes: all at once, with one translator."""
    asked = [("en", "de", False, False), ("en", "de", True, True), ("de", "en", False, True)]
    alone = {one: [found.best for found in translator().translate(LINES, *one)] for one in asked}
    shared = translator()
    ready, threads = threading.Barrier(4), torch.get_num_threads()

    def work(number: int) -> bool:
        one = asked[number % 3]
        ready.wait()
        if number == 3:
            with shared.in_processes(2):
                found = [found.best for found in shared.translate(LINES, *one)]
        else:
            found = [found.best for found in shared.translate(LINES, *one)]
        told = [[(each.text, each.alignment, len(each.tokens)) for each in best] for best in found]
        scores = [each.score for best in found for each in best]
        expected = [each.score for best in alone[one] for each in best]
        return (
            told == [[(each.text, each.alignment, len(each.tokens)) for each in best] for best in alone[one]]
            and scores == pytest.approx(expected, abs=1e-3)  # other threads may add in another order
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
    assert torch.get_num_threads() == threads
    assert len({one[0].text for one in alone[asked[0]] if one}) > 3


def test_processes_belong_to_the_thread_that_asked() -> None:
    shared = translator()
    with shared.in_processes(2):
        inside = shared.translate(LINES * 9, "en", "de")
        next(inside)
        outside: queue.Queue[object] = queue.Queue()
        other = threading.Thread(target=lambda: outside.put(type(shared._executor).__name__))
        other.start()
        other.join()
    assert outside.get() == "InlineExecutor"
    with pytest.raises(ModelError, match="must be taken before it ends"):
        list(inside)


def test_nobody_searches_while_somebody_forks() -> None:
    said: list[str] = []
    busy, forked = threading.Event(), threading.Event()

    def search() -> None:
        with FORK_GUARD.computing():
            busy.set()
            forked.wait(0.2)
            said.append("searched")

    def fork() -> None:
        with FORK_GUARD.forking():
            said.append("forked")
            forked.set()

    threads = [threading.Thread(target=search), threading.Thread(target=fork)]
    threads[0].start()
    busy.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert said == ["searched", "forked"]


class Typist:
    """Lines one by one, each only after the one before was translated; counts what was asked for."""

    def __init__(self, count: int | None) -> None:
        self.count, self.asked = count, 0
        self.allowed = threading.Semaphore(1)

    def __iter__(self) -> Iterator[str]:
        for number in itertools.count():
            if number == self.count:
                return
            assert self.allowed.acquire(timeout=30), "the line before was not answered"
            self.asked = number + 1
            yield f"one {number}"


@pytest.mark.parametrize("processes", [1, 2])
def test_every_line_of_a_stream_is_answered_before_the_next_comes(processes: int) -> None:
    typist = Typist(5)
    shared = echo_translator()
    with shared.in_processes(processes):
        for number, found in enumerate(shared.stream(typist, "en", "de")):
            assert found.text == f"one {number}" and typist.asked == number + 1
            typist.allowed.release()
    assert number == 4


@pytest.mark.parametrize("most", [1, 7])
def test_a_stream_reads_no_more_ahead_than_allowed(most: int) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for read in itertools.count(1):
            yield f"one {read}"

    found = echo_translator().stream(endless(), "en", "de", most)
    for number in range(1, 60):
        assert next(found).text == f"one {number}"
        assert read <= number + 2 * most  # those under way with it, and those that wait
    found.close()  # type: ignore[attr-defined]


def test_what_comes_together_is_one_chunk() -> None:
    gate = threading.Event()

    def given() -> Iterator[int]:
        yield 0
        yield from range(1, 5)
        gate.wait(30)
        yield 5

    chunks = live_chunks(given(), 10)
    seen = next(chunks)
    while len(seen) < 5:
        seen += next(chunks)
    gate.set()
    assert seen == [0, 1, 2, 3, 4] and list(chunks) == [[5]]


def test_an_error_among_the_lines_comes_in_its_place() -> None:
    def broken() -> Iterator[str]:
        yield "one"
        raise ValueError("no more lines")

    found = echo_translator().stream(broken(), "en", "de")
    assert next(found).text == "one"
    with pytest.raises(ValueError, match="no more lines"):
        next(found)
    with pytest.raises(ConfigError, match="max_waiting: expected a positive int, got 0"):
        live_chunks([], 0)


def test_closing_a_stream_ends_its_thread() -> None:
    found = echo_translator().stream((f"one {number}" for number in itertools.count()), "en", "de", 3)
    next(found)
    [thread] = [one for one in threading.enumerate() if one.name == "arriving"]
    found.close()  # type: ignore[attr-defined]
    del found
    thread.join(30)
    assert not thread.is_alive()
