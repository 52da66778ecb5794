"""What the machine can multiply: GFLOP/s of products of matrices, as one process or as one a core."""

import time
from typing import NamedTuple

import torch
from models import FORMATS

from seq2seq.device import default_device

SHAPES = ((4096, 512, 2048), (1024, 512, 2048))  # an LSTM layer of 512: all positions of an update, or of a batch of it
LARGE = ((8192, 8192, 8192),)  # what fills a GPU
SECONDS = 1.0  # of every measurement
STARTING = 10.0  # seconds until all processes have imported torch
Shape = tuple[int, int, int]


class Rate(NamedTuple):
    """GFLOP/s in a number format; the highest of the shapes."""

    format: str
    threads: int
    processes: int
    shape: Shape
    gflops: float


def rates(cores: int) -> list[Rate]:
    """One thread, all cores as threads, and all cores as processes of one thread; on a GPU its own rate."""
    gpu = default_device().type == "cuda"
    ways = [(1, 1)] + ([(cores, 1), (1, cores)] if cores > 1 and not gpu else [])
    return [rate for way in ways for rate in _highest(*way, LARGE if gpu else SHAPES)]


def _highest(threads: int, processes: int, shapes: tuple[Shape, ...]) -> list[Rate]:
    """One rate a number format, summed over processes that multiply during the same seconds."""
    products = [(name, shape) for name in FORMATS for shape in shapes]
    if processes == 1:
        found = [multiplied(products, threads, time.time())]
    else:
        start = time.time() + STARTING
        with torch.multiprocessing.get_context("spawn").Pool(processes) as pool:
            found = pool.starmap(multiplied, [(products, threads, start)] * processes, chunksize=1)
    sums = [sum(together) for together in zip(*found, strict=True)]
    every = [
        Rate(name, threads, processes, shape, gflops) for (name, shape), gflops in zip(products, sums, strict=True)
    ]
    return [max((one for one in every if one.format == name), key=lambda one: one.gflops) for name in FORMATS]


def multiplied(products: list[tuple[str, Shape]], threads: int, start: float) -> list[float]:
    """GFLOP/s of this process, one product after the other, each at its own time after `start` (of the clock)."""
    torch.set_num_threads(threads)
    device, found = default_device(), []
    for number, (name, (rows, inner, columns)) in enumerate(products):
        one = torch.randn(rows, inner, device=device).to(FORMATS[name])
        other = torch.randn(columns, inner, device=device).to(FORMATS[name]).T
        for _ in range(3):
            one @ other
        time.sleep(max(0.0, start + 1.5 * number * SECONDS - time.time()))
        begun, count = time.perf_counter(), 0
        while time.perf_counter() - begun < SECONDS:
            one @ other
            _wait(device)
            count += 1
        found.append(2e-9 * rows * inner * columns * count / (time.perf_counter() - begun))
    return found


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
