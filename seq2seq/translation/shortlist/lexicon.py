"""Translation probabilities of pieces: IBM model 1 (Brown et al. 1993, section 4), trained on lines.

Every target piece of a pair of lines comes from one of its source pieces, or from the empty one; all are equally likely
at first. Expectation maximisation estimates p(t | s), the probability that source piece s becomes target piece t; it
has a single maximum.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.arrays import Integers, Pieces
from seq2seq.data.dataset.store import Store, balanced_sample
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.translation.shortlist.shortlist import Candidates, Shortlist, leading

CHUNK = 1 << 22  # links that are looked at together
ITERATIONS = 5


class Lexicon(NamedTuple):
    """Pairs of pieces, sorted by source, then by target, and p(target | source) of each."""

    source: Int[Tensor, " pairs"]
    target: Int[Tensor, " pairs"]
    likely: Float[Tensor, " pairs"]


class _Links(NamedTuple):
    """A source piece, a target piece, and the number of that target piece's place among the chunk's."""

    source: Int[Tensor, " links"]
    target: Int[Tensor, " links"]
    place: Int[Tensor, " links"]


def learn_lexicon(
    sources: Sequence[Pieces], targets: Sequence[Pieces], same: Int[Tensor, " vocabulary"], vocabulary: int
) -> Lexicon:
    """Trains on lines and their translations; the same lines give the same numbers.

    same: the target piece spelt like each source piece, or -1; it counts once as a translation, so that unseen names
    may be copied. vocabulary: number of target pieces. Memory: 8 bytes a link (a line's source pieces times its target
    pieces) and 32 a pair of pieces.
    """
    empty = len(same)
    written = (same >= 0).nonzero().squeeze(1)
    alike = written * vocabulary + same[written]
    keys = alike
    for links in _links(sources, targets, empty):
        keys = torch.unique(torch.cat([keys, torch.unique(links.source * vocabulary + links.target)]))
    chunks = [
        (torch.searchsorted(keys, links.source * vocabulary + links.target, out_int32=True), links.place.int())
        for links in _links(sources, targets, empty)
    ]
    owners = keys // vocabulary
    prior = torch.zeros(len(keys)).index_fill_(0, torch.searchsorted(keys, alike), 1.0)
    likely = torch.ones(len(keys))
    for _ in range(ITERATIONS):
        expected = prior.clone()
        for numbers, places in chunks:
            share = likely[numbers]
            total = torch.zeros(int(places[-1]) + 1).index_add_(0, places, share)
            expected.index_add_(0, numbers, share / total[places])
        likely = expected / torch.zeros(empty + 1).index_add_(0, owners, expected)[owners]
    kept = owners != empty
    return Lexicon(owners[kept], keys[kept] % vocabulary, likely[kept])


def _links(sources: Sequence[Pieces], targets: Sequence[Pieces], empty: int) -> Iterator[_Links]:
    """Every source piece, and the empty one, with every target piece of its pair, some pairs at a time."""
    begin, count = 0, 0
    for end, (source, target) in enumerate(zip(sources, targets, strict=True), 1):
        count += (len(source) + 1) * len(target)
        if count >= CHUNK or (count and end == len(sources)):
            yield _linked(sources[begin:end], targets[begin:end], empty)
            begin, count = end, 0


def _linked(sources: Sequence[Pieces], targets: Sequence[Pieces], empty: int) -> _Links:
    source = torch.cat([torch.tensor([empty, *line.tolist()]) for line in sources])
    target = torch.cat([torch.from_numpy(line.astype("int64")) for line in targets])
    lengths = torch.tensor([len(line) + 1 for line in sources])
    begins = lengths.cumsum(0) - lengths
    pair = torch.repeat_interleave(torch.tensor([len(line) for line in targets]))  # of each target piece
    place = torch.repeat_interleave(lengths[pair])
    first = (lengths[pair].cumsum(0) - lengths[pair])[place]
    return _Links(source[begins[pair][place] + torch.arange(len(place)) - first], target[place], place)


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

    max_pairs: pairs used for each target language, drawn without a generator. threshold: smallest p(target | source) of
    a candidate. max_candidates: of a source piece, the most probable ones. frequent_pieces: the most frequent pieces,
    part of every list. candidates_per_piece: see Shortlist. Raises ConfigError.
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
    """At most `most` rows, spread evenly."""
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


def _candidates(
    lexicon: Lexicon, threshold: float, max_candidates: int, common: Integers, vocabulary: int
) -> Candidates:
    """The likeliest target pieces of each source piece, the likeliest first."""
    order = np.lexsort((-lexicon.likely.numpy(), lexicon.source.numpy()))
    source, target, likely = (part.numpy()[order] for part in lexicon)
    ranks = np.arange(len(source)) - np.searchsorted(source, source)
    kept = (likely >= threshold) & (ranks < max_candidates)
    starts = np.searchsorted(source[kept], np.arange(vocabulary + 1))
    return Candidates(starts, target[kept], likely[kept].astype(np.float64), common)
