"""How fast training is, beside what the machine can multiply: `python benchmark.py [--seconds 40] [--models 11M]`.

For the 11M-parameter model and the default one: target tokens a second of `seq2seq train` in fp32 and, where the
machine has it, bf16, on one core and on all, the share of the machine's rate of matrix products that is, and where an
update's time goes. Everything is measured in this one run, because machines differ and are shared. Writes
results.json and results.md to runs/benchmark, or where BENCHMARK_FOLDER says.
"""

import argparse
import json
import os
import platform
from pathlib import Path

import torch
from models import FOLDER, FORMATS, MODELS, opened
from multiplication import Rate, rates
from parts import profile
from products import training_per_token
from speed import trained
from table import Results, markdown

from seq2seq.device import default_device


def main() -> None:
    """Measures, writes, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each training; 12 to try it out")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["11M", "default"])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="what `all` means")
    chosen = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    results = measured(chosen)
    (FOLDER / "results.json").write_text(json.dumps(results.plain(), indent=1) + "\n", "utf-8")
    (FOLDER / "results.md").write_text(markdown(results), "utf-8")
    print(markdown(results))


def measured(chosen: argparse.Namespace) -> Results:
    """All figures, the rates of products before and after the trainings."""
    load, gpu = [os.getloadavg()[0]], default_device().type == "cuda"
    multiplied = rates(chosen.cores)
    work, parameters = {}, {}
    for name in chosen.models:
        prepared, model = opened(name)
        parameters[name] = sum(parameter.numel() for parameter in model.parameters())
        work[name] = training_per_token(model, prepared.train)
    speeds = []
    for name in chosen.models:
        for processes in [1] if gpu else sorted({1, chosen.cores}):
            for number_format in chosen.formats:
                speeds.append(trained(name, number_format, processes, chosen.seconds, []))
                print(speeds[-1], flush=True)
    updates = max(3, int(chosen.seconds / 5))
    profiles = [profile(name, chosen.formats[-1], updates) for name in chosen.models]
    multiplied = [max(pair, key=_rate) for pair in zip(multiplied, rates(chosen.cores), strict=True)]
    load.append(os.getloadavg()[0])
    return Results(machine(chosen.cores), load, multiplied, parameters, work, speeds, profiles)


def _rate(rate: Rate) -> float:
    return rate.gflops


def machine(cores: int) -> str:
    """In words."""
    if default_device().type == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    found = platform.processor()
    if (information := Path("/proc/cpuinfo")).is_file():
        lines = information.read_text("utf-8").splitlines()
        found = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), found)
    return f"{cores} cores of {found} ({torch.backends.cpu.get_cpu_capability()}), torch {torch.__version__}"


if __name__ == "__main__":
    main()
