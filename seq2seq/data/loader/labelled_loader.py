"""Batches of labelled text. Predictions are `target[:, 1:]` where `target_mask[:, 1:]` is true."""

import numpy as np
import torch

from seq2seq import special_tokens as symbols
from seq2seq.data.arrays import Integers, Pieces
from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.loader import Loader, padded
from seq2seq.data.tokenizer.labelled_tokenizer import TagTokenizer


class ClassLoader(Loader):
    """Source rows `[piece, ..., EOS]`, target rows `[BOS, label]`."""

    def batch(self, source: list[Pieces], target: list[Pieces], tags: Integers, rows: Integers) -> Batch:
        return classified(source, target, rows)


class TagLoader(Loader):
    """Source rows `[piece, ..., EOS]`, target rows as long, with a label for the first piece of every token."""

    def __init__(
        self, store: Store, tokenizer: TagTokenizer, max_tokens: int, seed: int, sort_window: int, prefetch: int
    ) -> None:
        super().__init__(
            store, tokenizer, max_tokens, seed, sort_window, 1, 0.0, 0.0, sampled_sides=[], prefetch=prefetch
        )
        self.raised = tokenizer.raised

    def batch(self, source: list[Pieces], target: list[Pieces], tags: Integers, rows: Integers) -> Batch:
        return tagged(source, target, self.raised, rows)


class ConditionLoader(Loader):
    """Source rows `[label]` or `[number, ...]`, target rows `[tag, piece, ..., EOS]`."""

    def batch(self, source: list[Pieces], target: list[Pieces], tags: Integers, rows: Integers) -> Batch:
        """The tag is that of the text."""
        return Batch(*padded(source, None, None), *padded(target, tags, symbols.EOS), torch.from_numpy(rows))


def classified(source: list[Pieces], target: list[Pieces], rows: Integers) -> Batch:
    """Rows of a classifier: pieces, and one label a row."""
    first = np.full(len(rows), symbols.BOS, dtype=np.int64)
    return Batch(*padded(source, None, symbols.EOS), *padded(target, first, None), torch.from_numpy(rows))


def tagged(source: list[Pieces], target: list[Pieces], raised: int, rows: Integers) -> Batch:
    """Rows of a tagger: the first piece of a token is raised by `raised`, and the target's mask is false at the others.

    source  _the  _cat  s  _sat  EOS        target  BOS  DET  NOUN  PAD  VERB        mask  1  1  1  0  1
    """
    flagged, source_mask = padded(source, None, symbols.EOS)
    starts = flagged[:, :-1] >= raised
    target_mask = torch.cat([torch.ones(len(rows), 1, dtype=torch.bool), starts], dim=1)
    ids = torch.full(target_mask.shape, symbols.PAD)
    ids[:, 0] = symbols.BOS
    ids[:, 1:][starts] = torch.from_numpy(np.concatenate(target).astype(np.int64))
    return Batch(flagged % raised, source_mask, ids, target_mask, torch.from_numpy(rows))
