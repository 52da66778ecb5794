"""Runs in JoeyNMT's environment, with a configuration file: every line in, its translation out at once."""

import sys
from pathlib import Path

from joeynmt.config import load_config, parse_global_args
from joeynmt.prediction import predict, prepare

settings = parse_global_args(load_config(Path(sys.argv[1])), rank=0, mode="translate")
model, _, _, data = prepare(settings, rank=0, mode="translate")
search = settings.test._replace(batch_size=1, batch_type="sentence")
for line in sys.stdin:
    data.set_item(line.rstrip("\n"))
    found = predict(
        model=model,
        data=data,
        device=settings.device,
        n_gpu=0,
        rank=0,
        compute_loss=False,
        normalization="none",
        num_workers=0,
        args=search,
        autocast=settings.autocast,
    )
    data.reset_cache()
    print(found[2][0], flush=True)
