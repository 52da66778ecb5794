"""Speed of every cell on one core of a CPU, beside torch's fused LSTM and GRU: `python benchmark.py FOLDER`.

Writes speed.json (every figure), speed.md (tables) and, where matplotlib is installed, speed.png. A figure is the best
of some repeats, in positions (tokens) a second of processor time, which other programs on the machine do not take part
in; a product of matrices of the same run says what the machine could do.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn

from seq2seq.config.build import build, configuration_folder
from seq2seq.device import autocast, formats, tune_memory
from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.scanned import Scanned

BATCH, LENGTH, LONG, WIDTHS, MIDDLE = 64, 25, 200, (256, 512, 1024), 512
tune_memory()  # before the first product: formats() tries some
FORMATS = {  # those that this machine has
    name: dtype for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)) if name in formats()
}
TORCH = {"torch.nn.LSTM": nn.LSTM, "torch.nn.GRU": nn.GRU}


class Speed(NamedTuple):
    """Positions a second of one cell: forward only, and forward with backward."""

    cell: str
    width: int
    length: int
    format: str
    forward: float
    training: float


class Step(NamedTuple):
    """Microseconds of one step of search, for `batch` hypotheses."""

    cell: str
    width: int
    batch: int
    format: str
    microseconds: float


def main() -> None:
    """Measures, then writes tables and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    names = sorted(path.stem for path in (configuration_folder() / "cell").glob("*.yaml"))
    makers = {**TORCH, **{name: maker(name) for name in names}}
    scanned = [name for name in names if isinstance(makers[name](4, 4), Scanned)]
    sizes = [(width, LENGTH, name) for width in WIDTHS for name in makers]
    sizes += [(MIDDLE, LONG, name) for name in (*TORCH, *scanned)]
    speeds = []
    for number_format, dtype in FORMATS.items():
        for width, length, name in sizes:
            speeds.append(Speed(name, width, length, number_format, *speed(makers[name], width, length, dtype, chosen)))
            print(speeds[-1], flush=True)
    steps = [
        Step(name, MIDDLE, batch, number_format, step(makers[name], batch, dtype, chosen))
        for number_format, dtype in FORMATS.items()
        for name in names
        for batch in (1, BATCH)
    ]
    products = {name: product(dtype, chosen.repeats) for name, dtype in FORMATS.items()}
    write(chosen.folder, speeds, steps, products)


def maker(name: str) -> Callable[[int, int], Cell]:
    """The cell of that YAML, waiting for its sizes."""
    text = ["corpus=files", "corpus.path=none", "corpus.directions=[a-b]"]
    with initialize_config_dir(str(configuration_folder().absolute()), version_base="1.3"):
        node = OmegaConf.to_container(compose("train", [*text, f"cell={name}"]).cell, resolve=True)
    return build(node)


def speed(
    make: Callable[..., nn.Module], width: int, length: int, dtype: torch.dtype, chosen: argparse.Namespace
) -> tuple[float, float]:
    """Positions a second, forward and forward with backward."""
    torch.manual_seed(0)
    module = make(width, width)
    x = torch.randn(BATCH, length, width, requires_grad=True)
    if isinstance(module, nn.RNNBase):
        module.batch_first = True

    def forward() -> Tensor:
        with autocast(dtype):
            if isinstance(module, Cell):
                return module(x, None, module.initial_state((BATCH,)))[0]
            return module(x)[0]

    def training() -> None:
        forward().float().square().sum().backward()

    with torch.no_grad():
        once = best(forward, chosen.repeats)
    return BATCH * length / once, BATCH * length / best(training, chosen.repeats)


def step(make: Callable[[int, int], Cell], batch: int, dtype: torch.dtype, chosen: argparse.Namespace) -> float:
    """Microseconds of a step of search, twenty at a time."""
    torch.manual_seed(0)
    cell = make(MIDDLE, MIDDLE).eval()
    x = torch.randn(batch, 1, MIDDLE)

    def search() -> None:
        with autocast(dtype):
            state = cell.initial_state((batch, 1))
            for _ in range(20):
                _, state = cell.step(x, state, cell.dropout_masks((batch, 1)))

    with torch.inference_mode():
        return best(search, chosen.repeats) / 20 * 1e6


def product(dtype: torch.dtype, repeats: int) -> float:
    """GFLOP/s of the input's product of an LSTM of width 512."""
    left, right = torch.randn(BATCH * LENGTH, MIDDLE).to(dtype), torch.randn(MIDDLE, 4 * MIDDLE).to(dtype)
    return 2e-9 * BATCH * LENGTH * MIDDLE * 4 * MIDDLE / best(lambda: left @ right, 4 * repeats)


def best(run: Callable[[], object], repeats: int) -> float:
    """Processor seconds of the fastest run, after one that counts for nothing."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def write(folder: Path, speeds: list[Speed], steps: list[Step], products: dict[str, float]) -> None:
    """speed.json, speed.md, speed.png."""
    everything = {
        "gemm_gflops": products,
        "speeds": [speed._asdict() for speed in speeds],
        "steps": [one._asdict() for one in steps],
    }
    (folder / "speed.json").write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")
    rates = ", ".join(f"{name} {rate:.0f}" for name, rate in products.items())
    parts = [f"one thread; product of matrices, GFLOP/s: {rates}"]
    for number_format in FORMATS:
        parts.append(f"{number_format}, length {LENGTH}, thousand tokens/s: forward / forward and backward\n")
        parts[-1] += "\n".join(table([one for one in speeds if one[2:4] == (LENGTH, number_format)]))
    long = [one for one in speeds if one.length == LONG]
    parts.append(f"length {LONG}, width {MIDDLE}, forward and backward, times the speed of torch.nn.LSTM\n")
    parts[-1] += "\n".join(ratios(long))
    parts.append(f"one step of search, width {MIDDLE}, microseconds\n" + "\n".join(step_table(steps)))
    (folder / "speed.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    try:
        plot(folder / "speed.png", speeds)
    except ModuleNotFoundError as error:
        print(f"no plot: {error.name} is not installed (it comes with the extra [plots])")


def table(speeds: list[Speed]) -> list[str]:
    """A row per cell; the last column is the training speed at the middle width beside torch's GRU."""
    lines = [f"\n| cell | {' | '.join(f'width {width}' for width in WIDTHS)} | x torch.nn.GRU at {MIDDLE} |"]
    lines.append("|---" * (len(WIDTHS) + 2) + "|")
    found = {(one.cell, one.width): one for one in speeds}
    reference = found["torch.nn.GRU", MIDDLE].training
    for cell in dict.fromkeys(one.cell for one in speeds):
        ours = [found[cell, width] for width in WIDTHS]
        rates = " | ".join(f"{one.forward / 1e3:.1f} / {one.training / 1e3:.1f}" for one in ours)
        lines.append(f"| {cell} | {rates} | {found[cell, MIDDLE].training / reference:.2f} |")
    return lines


def ratios(speeds: list[Speed]) -> list[str]:
    """A row per cell, a column per number format, as multiples of torch's LSTM."""
    lines = [f"\n| cell | {' | '.join(FORMATS)} |", "|---" * (len(FORMATS) + 1) + "|"]
    found = {(one.cell, one.format): one.training for one in speeds}
    for cell in dict.fromkeys(one.cell for one in speeds):
        row = [f"{found[cell, name] / found['torch.nn.LSTM', name]:.2f}" for name in FORMATS]
        lines.append(f"| {cell} | {' | '.join(row)} |")
    return lines


def step_table(steps: list[Step]) -> list[str]:
    """A row per cell, a column per batch and number format."""
    columns = [(batch, name) for batch in (1, BATCH) for name in FORMATS]
    lines = [f"\n| cell | {' | '.join(f'batch {batch}, {name}' for batch, name in columns)} |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    found = {(one.cell, one.batch, one.format): one.microseconds for one in steps}
    for cell in dict.fromkeys(one.cell for one in steps):
        lines.append(f"| {cell} | {' | '.join(f'{found[cell, *column]:.0f}' for column in columns)} |")
    return lines


def plot(path: Path, speeds: list[Speed]) -> None:
    """Training speed at the middle width, a bar per cell and number format, for either length."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(12, 6), constrained_layout=True)
    for axis, length in zip(axes, (LENGTH, LONG), strict=True):
        chosen = [one for one in speeds if (one.width, one.length) == (MIDDLE, length)]
        order = sorted({one.cell for one in chosen}, key=lambda cell: max(o.training for o in chosen if o.cell == cell))
        for index, name in enumerate(FORMATS):
            rates = {one.cell: one.training / 1e3 for one in chosen if one.format == name}
            places = [place + 0.4 * index for place in range(len(order))]
            axis.barh(places, [rates[cell] for cell in order], height=0.4, label=name)
        axis.set_yticks([place + 0.2 for place in range(len(order))], order)
        axis.set_xlabel("thousand tokens/s, forward and backward")
        axis.set_title(f"width {MIDDLE}, batch {BATCH}, length {length}")
        axis.legend(loc="lower right")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
