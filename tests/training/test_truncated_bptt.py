"""Truncated back-propagation through time: values pass from chunk to chunk, gradients do not; nothing is forgotten."""

import signal
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import torch
from apart import ROOT, Started
from equal_runs import assert_equal_runs, last
from safetensors.torch import load_file
from team_training import free_port
from toy_language import prepared, toy_language_model
from toy_network import members
from toy_streaming import PARTS, streaming_trainer

from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.stream import Stream
from seq2seq.network.state import tensors
from seq2seq.training.loop import Batches
from seq2seq.training.truncated_bptt import TruncatedBPTT

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "tests" / "toy_streaming.py"


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return prepared(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def whole(text: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to: two epochs and a half."""
    folder = tmp_path_factory.mktemp("whole")
    streaming_trainer(folder, text, 30).train()
    return folder


def batches(text: PreparedCorpus, length: int) -> list[Batch]:
    return list(Stream(text.train, text.tokenizer, 2, length, 1, 0).batches(0))


def features(carried: TruncatedBPTT, found: list[Batch]) -> torch.Tensor:
    """Of every token, in the order of the text."""
    rows: list[list[torch.Tensor]] = [[], []]
    for batch in found:
        counts = batch.target_mask[:, 1:].sum(1).tolist()
        found_features = carried(batch).detach()
        rows[0].append(found_features[: counts[0]])
        rows[1].append(found_features[counts[0] :])
    return torch.cat([part for row in rows for part in row])


@pytest.mark.parametrize("cell", members("cell"))
def test_chunks_with_a_carried_state_equal_one_pass(text: PreparedCorpus, cell: str) -> None:
    model = toy_language_model(cell, sharpness=0.8)
    expected = features(TruncatedBPTT(model, 1), batches(text, 10_000))
    for length in (1, 7) if cell == "lstm" else (7,):
        torch.testing.assert_close(
            features(TruncatedBPTT(model, 1), batches(text, length)), expected, rtol=1e-3, atol=1e-4
        )


def test_every_epoch_begins_anew(text: PreparedCorpus) -> None:
    carried, found = TruncatedBPTT(toy_language_model(), 1), batches(text, 9)
    first = features(carried, found)
    assert torch.equal(features(carried, found), first)


def test_where_reading_jumps_nothing_is_carried(text: PreparedCorpus) -> None:
    carried, found = TruncatedBPTT(toy_language_model(), 1), batches(text, 9)
    carried(found[0])
    assert torch.equal(carried(found[2]), TruncatedBPTT(carried.model, 1)(found[2]))
    carried(found[0])
    assert not torch.equal(carried(found[1]), TruncatedBPTT(carried.model, 1)(found[1]))


def test_another_text_begins_anew_wherever_its_rows_lie(text: PreparedCorpus) -> None:
    """The second row of the other text begins, by chance, at the number where that row of the first one ended."""
    carried, found = TruncatedBPTT(toy_language_model(), 1), batches(text, 9)
    carried(found[0])
    other = found[0]._replace(pairs=torch.tensor([0, int(found[1].pairs[1])]))
    assert torch.equal(carried(other), TruncatedBPTT(carried.model, 1)(found[0]))


def test_gradients_end_at_the_edge_of_a_chunk(text: PreparedCorpus) -> None:
    """The embedding of a token that stands in the first chunk only learns nothing from the second."""
    model, found = toy_language_model(), batches(text, 9)
    carried = TruncatedBPTT(model, 1)
    changed = found[0]._replace(target=found[0].target.clone())
    changed.target[:, 1] = 1  # UNK, which no text has
    carried(found[0])
    before = carried(found[1])
    carried(changed)
    after = carried(found[1])
    assert not torch.allclose(before, after)  # its value is felt
    torch.autograd.backward(after.sum())
    gradient = model.embedding.weight.grad
    assert isinstance(gradient, torch.Tensor)
    assert not gradient[1].any() and gradient[5].any()


def test_a_state_that_is_not_finite_is_not_carried(text: PreparedCorpus) -> None:
    carried, found = TruncatedBPTT(toy_language_model(), 1), batches(text, 9)
    carried(found[0])
    tensors(carried.past[0].state)[0][0, 0] = float("nan")
    mixed, fresh = carried(found[1]), TruncatedBPTT(carried.model, 1)(found[1])
    first = int(found[1].target_mask[0, 1:].sum())
    assert torch.equal(mixed[:first], fresh[:first]) and mixed.isfinite().all()
    assert not torch.allclose(mixed[first:], fresh[first:])


def test_parts_side_by_side_carry_what_one_batch_does(text: PreparedCorpus) -> None:
    model = toy_language_model()
    together, apart = TruncatedBPTT(model, 1), TruncatedBPTT(model, 2)
    given = (text.train, text.tokenizer, 4, 9)
    for _ in range(2):
        halves = Stream(*given, 2, 0).batches(0)
        for batch in Stream(*given, 1, 0).batches(0):
            found = torch.cat([apart(next(halves)), apart(next(halves))])
            torch.testing.assert_close(found, together(batch), rtol=1e-4, atol=1e-5)


def test_a_process_takes_the_states_of_its_own_batches(text: PreparedCorpus) -> None:
    carried, model = TruncatedBPTT(toy_language_model(), 4), toy_language_model()
    for batch in list(Stream(text.train, text.tokenizer, 8, 9, 4, 0).batches(0))[:4]:
        carried(batch)
    for worker, own in enumerate(([0, 2], [1, 3])):
        one = TruncatedBPTT(model, 4)
        one.restore(carried.carried())
        one.take(worker, 2)
        expected = [carried.carried()[number] for number in own]
        assert all(map(torch.equal, chain(*one.carried()), chain(*expected))) and one.parts == 2


def test_several_processes_train_as_one_does_and_go_on_where_it_stopped(
    text: PreparedCorpus, whole: Path, tmp_path: Path
) -> None:
    """One process up to update 8, two up to 20, one to the end."""
    for updates, threads in ((8, 1), (20, 2), (30, 1)):
        assert streaming_trainer(tmp_path, text, updates, threads=threads).train().update == updates
    ours, theirs = load_file(last(whole)), load_file(last(tmp_path))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("stops", [[1], [7, 8, 21]])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    text: PreparedCorpus, whole: Path, tmp_path: Path, stops: list[int]
) -> None:
    for updates in stops:
        trainer = streaming_trainer(tmp_path, text, 30)
        trainer.batches = Failing(trainer.batches, updates)
        with pytest.raises(OSError, match="the disk is gone"):
            trainer.train()
        assert int(last(tmp_path).stem.split("-")[1]) == updates
    streaming_trainer(tmp_path, text, 30).train()
    assert_equal_runs(whole, tmp_path)


class Failing:
    """Batches that end in an error after so many updates."""

    def __init__(self, given: Batches, updates: int) -> None:
        self.given, self.updates = given, updates

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for number, batch in enumerate(self.given.batches(epoch, start), start):
            if (epoch * self.batch_count(0) + number) // PARTS >= self.updates:
                raise OSError("the disk is gone")
            yield batch

    def batch_count(self, epoch: int) -> int:
        return self.given.batch_count(epoch)

    def texts(self, batch: Batch) -> list[tuple[str, str]]:
        return self.given.texts(batch)


def test_a_killed_run_ends_as_one_that_was_not(text: PreparedCorpus, whole: Path, tmp_path: Path) -> None:
    started = Started(PROGRAM, [str(tmp_path), str(text.train.folder.parents[1]), "30", "0.05"])
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "checkpoints").glob("last-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    started.process.kill()
    assert started.ended().returncode == -signal.SIGKILL and last(tmp_path).name < last(whole).name
    streaming_trainer(tmp_path, text, 30).train()
    assert_equal_runs(whole, tmp_path)


def test_a_checkpoint_holds_the_carried_state(whole: Path) -> None:
    held = {name: one for name, one in load_file(last(whole)).items() if name.startswith("carried/")}
    assert len(held) == 15  # of three parts where the rows end, and two layers of h and c
    assert all(len(one) == 2 and one.any() for one in held.values())
    assert held["carried/0/0"].max() < held["carried/1/0"].min() < held["carried/2/0"].min()


def test_a_team_trains_as_one_process_does_and_leaves_all_states(
    text: PreparedCorpus, whole: Path, tmp_path: Path
) -> None:
    """Two processes have three batches of a chunk to share out; from update 17 on there is one process."""
    arguments = [str(tmp_path), str(text.train.folder.parents[1]), "17", "0"]
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port())}
    for member in [Started(PROGRAM, arguments, environment={**meeting, "RANK": str(rank)}) for rank in range(2)]:
        done = member.ended()
        assert done.returncode == 0, done.stderr
    assert sum(name.startswith("carried/") and name.endswith("/0") for name in load_file(last(tmp_path))) == PARTS
    streaming_trainer(tmp_path, text, 30).train()
    ours, theirs = load_file(last(tmp_path)), load_file(last(whole))
    assert ours.keys() == theirs.keys()
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=1e-4)
