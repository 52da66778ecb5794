"""The networks that are measured, as options of `seq2seq train`, and what the scripts beside this one need of them."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from seq2seq.cli.prepare import prepared_corpus
from seq2seq.config.build import build, configuration_folder
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.device import formats, precision
from seq2seq.network.model import Model

WIDE = ["tokenizer=bpe", "tokenizer.vocab_size=8000", "model.embedding=256", "model.width=512"]
WIDE += ["encoder.feed_forward=0"]
ATTENTIVE = ["attention=multihead", "decoder.feed_forward=0", "decoder.attend=all"]
UNEVEN = ["encoder.layers=4", "decoder.layers=1"]  # where they are read once: a decoder is read for every hypothesis
MODELS = {
    "11M": [*WIDE, "attention=general", "decoder.feed_forward=0", "decoder.attend=first"],
    "11M, input feeding": [*WIDE, "attention=general", "decoder=input_feeding"],
    "12M": [*WIDE, *ATTENTIVE, *UNEVEN],
    # no recurrent product at all. Translating is compared with it (README)
    "11M, SRU": [*WIDE, *ATTENTIVE, *UNEVEN, "cell=sru", "model.tying=target"],
    "default": [],
}
FORMATS = {  # those of large products that this machine has
    name: dtype for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)) if name in formats()
}
FASTEST = "bf16" if precision("auto") == torch.bfloat16 else "fp32"
UPDATE = 4250  # places of the longer side in an update, padding counted: about 4,000 target tokens
FOLDER = Path(os.environ.get("BENCHMARK_FOLDER", "runs/benchmark"))  # where everything goes: run= of the scripts
CACHE = FOLDER / "cache"
TEXT = ["corpus=multi30k", "corpus.directions=[en-de]", f"cache={CACHE}"]


class Opened(NamedTuple):
    """A configuration with its corpus and a network of it, on the CPU."""

    prepared: PreparedCorpus
    model: Model


def opened(name: str) -> Opened:
    """What `seq2seq train` makes of the model's options; what the cache lacks is prepared."""
    with initialize_config_dir(str(configuration_folder().absolute()), version_base="1.3"):
        node: Any = OmegaConf.to_container(compose("train", [*TEXT, *MODELS[name]]), resolve=True)
    corpus = build(node["corpus"], where="corpus")
    prepared = prepared_corpus(corpus, node["cleaning"], node["tokenizer"], node["prepare"], Path(node["cache"]))
    source, target = prepared.tokenizer.sizes
    sizes = {"source_vocabulary": source, "target_vocabulary": target}
    return Opened(prepared, build(node["model"], sizes, "model"))


def shared_out(processes: int) -> list[str]:
    """Options that cut an update into as many batches as there are processes."""
    parts = [f"loader.max_tokens={UPDATE // processes}", f"trainer.accumulation={processes}"]
    return [*parts, f"trainer.cores={processes}"]
