"""Which target pieces stand for which source piece: IBM model 1 (Brown et al. 1993, section 4), counted on lines.

Every target piece of a pair of lines comes from one of its source pieces, or from an empty one that explains what
nothing else does; beforehand all are equally likely. p(t | s), how likely the source piece s becomes the target piece
t, is what expectation maximisation makes of that; it has one maximum only.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.io.arrow import Pieces

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
    """Learns from lines and their translations; the same lines give the same numbers.

    same: the target piece that is written like each source piece, or -1. It is taken for its translation once, besides
    what was seen, so that names nobody has seen may be copied. vocabulary: the number of target pieces.
    Takes 8 bytes of memory a link (a line's source pieces times its target pieces) and 32 a pair of pieces.
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
