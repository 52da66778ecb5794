"""The benchmark: its count of operations, how it adds up a profile, what it reads in logs, its tables."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from toy_network import toy_model

from seq2seq import device
from seq2seq.data.loader.batch import Batch
from seq2seq.network.model import Model

RECIPE = Path(__file__).parent.parent / "recipes" / "benchmark"
NAMES = ("attribution", "benchmark", "models", "multiplication", "opennmt", "parts", "products", "speed", "table")


@pytest.fixture(scope="module", autouse=True)
def recipe() -> Iterator[None]:
    """The scripts that stand beside run.sh can be imported."""
    sys.path.insert(0, str(RECIPE))
    yield
    sys.path.remove(str(RECIPE))
    for name in NAMES:
        sys.modules.pop(name, None)


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


def direct(model: Model, sentences: list[tuple[int, int]]) -> int:
    """The operations of these sentences, each by itself, in a network without fused kernels."""
    total = 0
    for source, target in sentences:
        ids, following = torch.zeros(1, source, dtype=torch.long), torch.zeros(1, target + 1, dtype=torch.long)
        batch = Batch(ids, ids == 0, following, following == 0, torch.zeros(1, dtype=torch.long))
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model.logits(model(batch))
        total += counter.get_total_flops()
    return total


@pytest.mark.parametrize(
    "chosen",
    [{}, {"cell": "gru", "attention": "general"}, {"decoder": "input_feeding"}, {"encoder": "gnmt", "bridge": "last"}],
    ids=str,
)
def test_four_sentences_tell_the_count_of_any(chosen: dict[str, str]) -> None:
    settings = {"encoder.shape": "unidirectional"} if "bridge" in chosen else {}
    model = toy_model(settings=settings, **chosen)
    counted = script("products").products(model)
    sentences = [(7, 5), (3, 9), (1, 4)]
    whole = sum(counted.forward(source, target, source * target) for source, target in sentences)
    assert whole == direct(model.eval(), sentences)


def test_a_product_is_two_operations_a_weight_and_token() -> None:
    model = toy_model(attention="none", settings={"decoder.attend": "none"})
    counted = script("products").products(model)
    target = sum(one.numel() for one in model.decoder.layers.parameters() if one.ndim == 2)
    target += model.output_weight.numel() + sum(one.numel() for one in model.projection.parameters() if one.ndim == 2)
    source = sum(one.numel() for one in model.encoder.parameters() if one.ndim == 2)
    assert (counted.source, counted.target, counted.pair) == (2 * source, 2 * target, 0)


class Doubling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x @ x).exp().cos().sum()


class Halving(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 2 + x.sin()


def test_backward_belongs_to_the_part_of_its_forward_and_all_adds_up() -> None:
    attribution = script("attribution")
    x = torch.randn(200, 200, requires_grad=True)
    profiler = attribution.new_profiler()
    with attribution.marked([(Doubling, "forward", "double"), (Halving, "forward", "half")]):
        with profiler, torch.autograd.profiler.record_function(attribution.MARK + attribution.WHOLE):
            Doubling()(Halving()(x)).backward()
        x.sigmoid()
    events = list(profiler.events())
    found = attribution.seconds_by_part(events, device=False)
    assert set(found) == {"double", "half", attribution.REST}
    (whole,) = [event for event in events if event.name == attribution.MARK + attribution.WHOLE]
    assert sum(found.values()) == pytest.approx(whole.cpu_time_total * 1e-6)
    for part, gradients in {"half": ("Add", "Div", "Sin"), "double": ("Mm", "Exp", "Cos", "Sum")}.items():
        names = [f"{attribution.BACKWARD}{name}Backward0" for name in gradients]
        own = [event.cpu_time_total for event in events if event.name in (attribution.MARK + part, *names)]
        assert len(own) == 1 + len(names) and found[part] == pytest.approx(sum(own) * 1e-6)
    assert "forward" in vars(Halving) and not hasattr(Halving.forward, "__wrapped__")


def test_what_is_marked_exists() -> None:
    names = {part for _, _, part in script("parts").places()}
    parts = set(script("parts").PARTS)
    assert names == parts - {script("attribution").REST}
    assert all(callable(getattr(owner, name)) for owner, name, part in script("parts").places() if name != "keys")


def record(update: int, speed: float) -> str:
    values = {"tokens": 4000 * update, "tokens_per_second": speed, "waiting": 0.1, "padding": 0.02}
    return json.dumps({"event": "training", "update": update, **values})


def test_the_first_windows_do_not_count() -> None:
    log = [record(2, 1.0), record(4, 100.0), json.dumps({"event": "validation"}), record(6, 300.0), record(8, 200.0)]
    speed = script("speed").summary("11M", "bf16", 4, "\n".join(log))
    assert (speed.median, speed.highest, speed.lowest, speed.windows) == (200.0, 300.0, 100.0, 3)
    assert (speed.tokens_per_update, speed.waiting, speed.padding) == (4000, pytest.approx(0.1), pytest.approx(0.02))


def test_too_short_a_run_is_an_error() -> None:
    with pytest.raises(script("speed").TooShortError, match="more --seconds"):
        script("speed").summary("11M", "bf16", 4, record(2, 1.0))


def test_a_training_that_ends_early_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its own words, whatever its exit code says."""
    speed = script("speed")
    monkeypatch.setattr(speed, "RUN", tmp_path / "run")
    for code, log, message in (
        (1, "", "failed:\nerror: trainer.precision"),
        (0, record(2, 1.0), "more --seconds; .*\nerror"),
    ):

        def run(*given: object, code: int = code, log: str = log, **named: object) -> object:
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "log.jsonl").write_text(log, "utf-8")
            return subprocess.CompletedProcess([], code, "", "error: trainer.precision: bf16 is not available")

        monkeypatch.setattr(speed.subprocess, "run", run)
        with pytest.raises(SystemExit, match=message):
            speed.trained("11M", "bf16", 1, 1.0, [])


def test_only_the_formats_of_this_machine_are_measured() -> None:
    models, opennmt = script("models"), script("opennmt")
    assert set(models.FORMATS) == set(device.formats()) - {"int8"}
    assert models.FASTEST in models.FORMATS and f"seq2seq, {models.FASTEST}" == opennmt.OURS


def test_the_share_is_of_the_higher_rate_and_the_table_says_it() -> None:
    rate, speed = script("multiplication").Rate, script("speed").Speed
    rates = [
        rate("bf16", 1, 1, (4, 5, 6), 50.0),
        rate("bf16", 2, 1, (4, 5, 6), 80.0),
        rate("bf16", 1, 2, (4, 5, 6), 100.0),
    ]
    speeds = [speed("11M", "bf16", cores, 1000.0, 1100.0, 900.0, 5, 4000.0, 0.0, 0.01) for cores in (1, 2)]
    profile = script("parts").Profile("11M", "bf16", {"encoder": 30.0, "the rest": 10.0}, 40.1, 39.0)
    results = script("table").Results("a machine", [0.0, 1.0], rates, {"11M": 11}, {"11M": 4e7}, speeds, [profile])
    assert [script("table").share(results, one) for one in speeds] == [0.8, 0.4]
    text = script("table").markdown(results)
    assert "| 2 processes at once |" not in text and "bf16, 2 processes at once | 4 x 5 x 6 | 100 |" in text
    assert "| 1,000 |" in text and "| 80% |" in text and "| 40% |" in text and "| encoder | 30.0 (75.0%) |" in text
    assert [one["share"] for one in json.loads(json.dumps(results.plain()))["speeds"]] == [0.8, 0.4]


def test_opennmt_steps_become_windows_and_turns_a_table() -> None:
    opennmt = script("opennmt")
    assert opennmt.windows([0.0, 1.0, 2.0, 3.0, 4.0], [9, 10, 20, 30, 40]) == 25.0
    line = "[INFO] Step  7/ 100; acc: 0.0; ppl: 8187.5; sents:     174; bsz: 1914/3032/174; 198/314 tok/s;     10 sec;"
    assert opennmt.STEP.search(line).groups() == ("7", "3032")
    turns = [opennmt.Turn(who, 3, speed, 4000.0) for who, speed in ((opennmt.THEIRS, 100.0), (opennmt.OURS, 500.0))]
    turns += [opennmt.Turn(opennmt.OURS, 3, 700.0, 4000.0), opennmt.Turn(opennmt.FEEDING, 3, 300.0, 4000.0)]
    assert f"| 3 | {opennmt.OURS} | 500, 700 | 600 | 6.00 | 4,000 |" in opennmt.table(turns)
