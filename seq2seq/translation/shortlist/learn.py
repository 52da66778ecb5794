"""Learns the shortlists of a model from its prepared training text."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.dataset.balanced_sample import balanced_sample
from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.io.arrow import Integers
from seq2seq.translation.shortlist.lexicon import Lexicon, learn_lexicon
from seq2seq.translation.shortlist.shortlist import Candidates, Shortlist, leading


def learn(
    store: Store,
    tokenizer: Tokenizer,
    max_pairs: int,
    threshold: float,
    max_candidates: int,
    frequent_pieces: int,
    candidates_per_piece: float,
) -> Shortlist:
    """The shortlists of every target language of a store.

    max_pairs: of each target language, at most so many are looked at; drawn without a generator. threshold: the least
    p(target | source) of a candidate; max_candidates: of a source piece, the likeliest; frequent_pieces: pieces of
    every list, the most frequent ones; candidates_per_piece: see Shortlist. Raises ConfigError.
    """
    for name, value in {
        "max_pairs": max_pairs,
        "max_candidates": max_candidates,
        "frequent_pieces": frequent_pieces,
        "candidates_per_piece": candidates_per_piece,
    }.items():
        if value <= 0:
            raise ConfigError(f"{name}: expected a positive number, got {value}")
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold: expected a probability from 0 to 1, got {threshold}")
    languages = {}
    for number, rows in _sampled(store, max_pairs):
        sources, targets = store.ids(rows)
        result = learn_lexicon(sources, targets, _same(tokenizer), tokenizer.sizes[1])
        counts = np.bincount(np.concatenate(targets), minlength=tokenizer.sizes[1])
        always = _common(tokenizer, counts, frequent_pieces)
        languages[store.languages[number]] = _candidates(result, threshold, max_candidates, always, tokenizer.sizes[0])
    return Shortlist(languages, candidates_per_piece)


def _sampled(store: Store, pairs: int) -> list[tuple[int, Integers]]:
    """The target languages, and rows of each."""
    rows = balanced_sample(store, pairs)
    targets = store.language_numbers(rows)[1]
    return [(int(number), _spread(rows[targets == number], pairs)) for number in np.unique(targets)]


def _spread(rows: Integers, most: int) -> Integers:
    """At most so many rows, from everywhere."""
    count = min(most, len(rows))
    return rows[np.arange(count) * len(rows) // max(count, 1)]


def _common(tokenizer: Tokenizer, counts: Integers, count: int) -> Integers:
    """The most frequent pieces, and as many of those of one character: what else words may be spelt with."""
    frequent = np.argsort(-counts, kind="stable")
    frequent = frequent[counts[frequent] > 0]
    short = np.array([len(piece.removeprefix("▁")) == 1 for piece in _written(tokenizer, "target")])
    chosen = [np.arange(leading(tokenizer)), frequent[:count], frequent[short[frequent]][:count]]
    return np.unique(np.concatenate(chosen))


def _same(tokenizer: Tokenizer) -> Int[Tensor, " source"]:
    """The target piece that is written like each source piece, or -1."""
    places = {piece: number for number, piece in enumerate(_written(tokenizer, "target"))}
    return torch.tensor([places.get(piece, -1) for piece in _written(tokenizer, "source")])


def _written(tokenizer: Tokenizer, side: Side) -> list[str]:
    return [piece.text for piece in tokenizer.listed(side)]


def _candidates(found: Lexicon, threshold: float, most: int, common: Integers, vocabulary: int) -> Candidates:
    """The likeliest target pieces of each source piece, the likeliest first."""
    order = np.lexsort((-found.likely.numpy(), found.source.numpy()))
    source, target, likely = (part.numpy()[order] for part in found)
    ranks = np.arange(len(source)) - np.searchsorted(source, source)
    kept = (likely >= threshold) & (ranks < most)
    starts = np.searchsorted(source[kept], np.arange(vocabulary + 1))
    return Candidates(starts, target[kept], likely[kept].astype(np.float64), common)
