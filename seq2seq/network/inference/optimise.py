"""A model made ready for search on a CPU."""

import torch

from seq2seq.device import Format, autocast, precision
from seq2seq.network.inference.packed import BFloat16, Float32, Int8, pack
from seq2seq.network.inference.projection_cache import projection_cache
from seq2seq.network.model import Model
from seq2seq.network.recurrent import Bidirectional

SENTENCES, TOKENS, STEPS = 8, 12, 8  # of noise that shows how large the numbers inside a model get
SEED = 1


@torch.inference_mode()
def optimise_for_inference(model: Model, products: Format) -> None:
    """Packs the matrices of a model in evaluation mode; afterwards it cannot be trained or saved.

    bf16 and int8 are meant for a search under autocast, which decides the format of everything except int8 products.
    Raises ConfigError for bf16 if the processor lacks it.
    """
    for module in model.modules():
        if isinstance(module, Bidirectional):
            module.join()
    device = torch.device("cpu")
    with autocast(precision("auto" if products == "int8" else products, device), device):
        if products == "int8":
            packed = pack(model, Int8)
            calibrate(model)
            for product in packed:
                product.freeze_scale()
        elif products == "bf16":
            pack(model, BFloat16)
        else:
            pack(model, Float32)
        word = torch.zeros(1, 1, dtype=torch.long)
        model.start(word, word == 0)  # processes that are forked later share what this lays out
        model.source_table = projection_cache(len(model.source.weight), model.source_words(word))
        model.table = projection_cache(len(model.target.weight), model.words(word))


def calibrate(model: Model) -> None:
    """Translates random pieces greedily, the same in every process: numbers get about as large as in text."""
    generator = torch.Generator().manual_seed(SEED)
    source = torch.randint(len(model.source.weight), (SENTENCES, TOKENS), generator=generator)
    memory, state = model.start(source, torch.ones_like(source, dtype=torch.bool))
    tokens = source[:, :1] % len(model.target.weight)
    for _ in range(STEPS):
        likely, state = model.step(tokens, state, memory)
        tokens = torch.multinomial(likely.squeeze(1).exp(), 1, generator=generator)
