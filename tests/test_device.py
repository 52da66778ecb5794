"""Laws of number formats: what the hardware lacks is refused in words wherever it is asked for, the rest works."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from processor import CPU, processor, whole_numbers
from toy_network import toy_model
from toy_training import SETTINGS
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

import seq2seq
from seq2seq import device
from seq2seq.cli.app import main
from seq2seq.device import Format
from seq2seq.errors import ConfigError
from seq2seq.network.inference.optimise import optimise_for_inference
from seq2seq.network.inference.packed import BFloat16, Float32, Int8, Packed, laid_out, lstm
from seq2seq.network.state import tensors
from seq2seq.translation.folder import save
from seq2seq.translation.translator import Translator

BF16 = r"precision: bf16 is not available on this CPU \(\w+\), which multiplies in fp32: choose {}precision=auto"
CAPABILITIES = ["DEFAULT", "AVX2", "AVX512", "NEON", "SVE256", "Z VECTOR"]
USES = ["translate", "evaluate", "score", "sample", "label", "generate"]
TRAININGS = ["train", "train_language_model", "train_classifier", "train_tagger", "train_generator"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translator."""
    place = tmp_path_factory.mktemp("model") / "ende"
    save(place, random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    return place


def own_formats() -> tuple[Format, ...]:
    return device.formats(CPU) if device.packs() else ()


@pytest.mark.parametrize("own", [("fp32",), ("fp32", "bf16"), ("fp32", "int8"), ("fp32", "bf16", "int8")], ids="-".join)
def test_each_format_is_served_or_refused_and_auto_always_serves(own: tuple[Format, ...]) -> None:
    with processor(*own):
        assert device.formats(CPU) == own
        assert device.products("auto", CPU) == ("bf16" if "bf16" in own else "fp32")
        for name in ("fp32", "bf16", "int8"):
            if name in own:
                assert device.products(name, CPU) == name
                continue
            with pytest.raises(ConfigError, match=f"^precision: {name} is not available on .* {' and '.join(own)}: "):
                device.products(name, CPU)
        with pytest.raises(ConfigError, match="expected auto, fp32, bf16 or int8, got 'int4'"):
            device.products("int4", CPU)
        with pytest.raises(ConfigError, match="expected auto, fp32 or bf16, got 'int8'"):
            device.precision("int8", CPU)


@pytest.mark.parametrize(
    ("command", "name"),
    [*((use, name) for use in USES for name in ("bf16", "int8")), *((one, "bf16") for one in TRAININGS)],
)
def test_every_command_refuses_it_in_words(
    command: str, name: str, folder: Path, toy_text: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    training = command in TRAININGS
    key = "trainer.precision" if training else "precision"
    words = [f"{key}={name}", *(() if training else [f"model={folder}"])]
    if training or command == "evaluate":
        words += ["corpus=files", f"corpus.path={toy_text}"]
        words += ["languages=[en]" if command == "train_language_model" else "corpus.directions=[en-de]"]
    if training:
        words += [f"run={tmp_path}/run", f"cache={tmp_path}/cache"]
    with processor("fp32"):
        assert main([command, *words]) == 1
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {key}: ") and "report it" not in line
    assert name in line and ("fp32" in line if name == "bf16" else "auto" in line)
    assert not (tmp_path / "run").exists() and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["bf16", "int8"])
def test_python_refuses_it_in_words(name: str, folder: Path) -> None:
    with processor("fp32"):
        with pytest.raises(ConfigError, match=f"precision: {name} is not available"):
            seq2seq.load(folder, number_format=name)
        with pytest.raises(ConfigError, match=BF16.format("")):
            device.autocast(torch.bfloat16, CPU)
        with pytest.raises(ConfigError, match=BF16.format("")):
            optimise_for_inference(random_model(), "bf16")


def test_what_is_emulated_is_warned_of_and_auto_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    with processor("fp32", "bf16"):
        monkeypatch.setattr(device, "_multiplies_bf16_fast", lambda device: False)
        with pytest.warns(UserWarning, match=r"^mine: bf16 is emulated on this CPU .*: mine=auto takes the fastest"):
            assert device.precision("bf16", CPU, "mine") == torch.bfloat16
        assert device.precision("auto", CPU) == torch.float32


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_where_nothing_is_packed_the_translations_are_the_same(
    capability: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torch calls processors that oneDNN was not tried on, ARM's among them: fp32, as torch multiplies it."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    packed = torch._C._has_mkldnn and capability.startswith("AVX")
    assert device.packs() == packed
    translator = seq2seq.load(folder, "greedy", "fp32")
    model = translator.searcher.model
    assert any(isinstance(one, Packed) for module in model.modules() for one in vars(module).values()) == packed
    lines = ["the dog sees", "two big", "one house"]
    parts = (toy_tokenizer(), seq2seq.load(folder, "greedy").searcher.search, DIRECTIONS, 100, 100, torch.float32, CPU)
    wanted = Translator(random_model(), *parts).translate(lines, "en", "de")
    assert [one.text for one in translator.translate(lines, "en", "de")] == [one.text for one in wanted]


def refused(*given: object) -> torch.Tensor:
    raise RuntimeError("needs another processor")


def saturating(x: torch.Tensor, step: float, zero: int, values: torch.Tensor, *rest: object) -> torch.Tensor:
    """As AVX2 multiplies bytes: two neighbouring products are added in 16 bits."""
    pairs = (x.int().unsqueeze(1) * values.int()).unflatten(-1, (-1, 2)).sum(-1)
    return pairs.clamp(-(2**15), 2**15 - 1).sum(-1).float()


def refusing_lstm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "lstm", refused)


def refusing_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refused, raising=False)


@pytest.mark.parametrize("lack", [None, refusing_lstm, refusing_packing])
def test_bf16_is_there_where_both_kernels_are(
    lack: Callable[[pytest.MonkeyPatch], None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is asked once, from wherever: the answer is the same inside inference mode."""
    has = device._cpu_has_bf16.__wrapped__  # without its memory
    with processor("fp32", "bf16"), torch.inference_mode():
        if lack:
            lack(monkeypatch)
        assert has() == (lack is None)


@pytest.mark.parametrize(("kernel", "exact"), [(whole_numbers, True), (saturating, False), (refused, False)])
def test_int8_is_there_where_its_products_are_exact(
    kernel: Callable[..., torch.Tensor], exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = device._cpu_has_int8.__wrapped__
    with processor("fp32", "int8"):
        monkeypatch.setattr(torch.ops.onednn, "qlinear_prepack", lambda values, shape: values, raising=False)
        monkeypatch.setattr(torch.ops.onednn, "qlinear_pointwise", kernel, raising=False)
        assert has() == exact


@pytest.mark.parametrize("kind", [Float32, BFloat16, Int8])
@torch.inference_mode()
def test_a_real_kernel_multiplies_as_the_emulated_one(kind: type[Float32 | BFloat16 | Int8]) -> None:
    name: Format = {Float32: "fp32", BFloat16: "bf16", Int8: "int8"}[kind]  # type: ignore[assignment]
    if name not in own_formats():
        pytest.skip(f"this processor does not multiply packed matrices in {name}")
    draw = torch.Generator().manual_seed(1)
    weight, rows = torch.randn(24, 40, generator=draw), torch.randn(9, 40, generator=draw)
    found = []
    for emulated in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if emulated:
                patch.setattr(device, "formats", lambda device: ())
            with processor(name):
                product = kind(weight)
                if isinstance(product, Int8):
                    product.seen = 3.0
                    product.freeze_scale()
                found.append(product(rows, torch.ones(24)).float())
    torch.testing.assert_close(*found, rtol=0.01 if kind is BFloat16 else 1e-5, atol=0.02 if kind is BFloat16 else 1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_a_real_lstm_reads_as_the_emulated_one(dtype: torch.dtype) -> None:
    if ("fp32" if dtype == torch.float32 else "bf16") not in own_formats():
        pytest.skip(f"this processor has no packed LSTM in {dtype}")
    draw = torch.Generator().manual_seed(1)
    x, initial = torch.randn(2, 5, 8, generator=draw), [torch.zeros(1, 2, 6)] * 2
    matrices, bias = [torch.randn(24, size, generator=draw) for size in (8, 6)], torch.zeros(24)
    found = []
    for emulated in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if emulated:
                patch.setattr(device, "formats", lambda device: ())
            with processor("fp32", "bf16"):
                found.append(lstm(x, initial, laid_out(*matrices, dtype), [bias, bias], dtype)[0].float())
    torch.testing.assert_close(*found, rtol=0.02, atol=0.02 if dtype == torch.bfloat16 else 1e-5)


def test_settings_name_their_key() -> None:
    from dataclasses import replace

    with processor("fp32"), pytest.raises(ConfigError, match="trainer." + BF16.format("trainer.")):
        replace(SETTINGS, precision="bf16")
    with processor("fp32", "bf16"):
        assert replace(SETTINGS, precision="bf16").precision == "bf16"


def test_a_model_is_prepared_in_the_format_of_its_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bf16 was asked for though fp32 is faster: tables and products are bf16 alike."""
    with processor("fp32", "bf16"):
        monkeypatch.setattr(device, "_multiplies_bf16_fast", lambda device: False)
        model = toy_model(16)
        with pytest.warns(UserWarning, match="bf16 is emulated"):
            optimise_for_inference(model, "bf16")
        assert model.table and torch.bfloat16 in {part.dtype for part in tensors(model.table.rows)}
