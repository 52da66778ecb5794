"""A search among the pieces of each sentence's list: the search itself sees places in lists and knows of nothing."""

from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from seq2seq.data.arrays import Integers
from seq2seq.network.inference.shortlist_model import Shortlisted, columns
from seq2seq.network.model import Model
from seq2seq.search.base import Hypothesis, Request, Search
from seq2seq.search.beam import Beam
from seq2seq.search.constrained import Constrained
from seq2seq.search.diverse import Diverse
from seq2seq.translation.shortlist.shortlist import Shortlist

Phrase = Sequence[int]
UNIT = 32  # lists are padded to a multiple of this size


class ShortlistSearch:
    """Finds what a search finds among the pieces of each sentence's list; scores are log-probabilities among them."""

    def __init__(self, shortlist: Shortlist, search: Search, model: Model, dtype: torch.dtype) -> None:
        self.shortlist = shortlist
        self.search = search
        self.model = model
        self.layers = {
            language: columns(model, torch.from_numpy(known.common), dtype)
            for language, known in shortlist.languages.items()
        }

    def with_search(self, search: Search) -> "ShortlistSearch":
        """The same lists and layers for another search."""
        other = copy(self)
        other.search = search
        return other

    def knows(self, language: str) -> bool:
        """Whether there are lists of this target language."""
        return language in self.layers

    def __call__(self, request: Request, sources: Sequence[Phrase], language: str) -> list[list[Hypothesis]]:
        """Like the search's own `start`; `sources` are the sentences' pieces without tag and EOS."""
        own = self.shortlist.lists(sources, language, [_wanted(request, row) for row in range(len(sources))])
        model = Shortlisted(self.model, self.layers[language], *_filled(own))
        common = self.shortlist.languages[language].common
        lists = [List(common, pieces) for pieces in own]
        match = self.search(model.start, model.step, _placed(request, lists))
        return [
            [one._replace(tokens=known.pieces(one.tokens)) for one in hypotheses]
            for hypotheses, known in zip(match, lists, strict=True)
        ]


class List:
    """A sentence's pieces: the common ones, then its own, both sorted."""

    def __init__(self, common: Integers, own: Integers) -> None:
        self.common, self.own = common, own

    def pieces(self, places: Phrase) -> list[int]:
        """The pieces at these positions."""
        result: list[int] = np.concatenate([self.common, self.own])[list(places)].tolist()
        return result

    def places(self, phrase: Phrase) -> list[int] | None:
        """The positions of pieces, or None if one is missing."""
        ids = np.asarray(phrase, np.int64)
        common = np.isin(ids, self.common)
        if not (common | np.isin(ids, self.own)).all():
            return None
        result: list[int] = np.where(
            common, np.searchsorted(self.common, ids), len(self.common) + np.searchsorted(self.own, ids)
        ).tolist()
        return result


def shortlist_search(
    shortlist: Shortlist | None, search: Search, model: object, dtype: torch.dtype, device: torch.device
) -> ShortlistSearch | None:
    """The search over shortlists, if the results are the same search's and faster: beam search on a CPU with one model.

    Random draws depend on the ids of pieces, and other models have vocabularies of their own. For greedy search, one
    hypothesis a sentence, gathering the lists' matrices takes as long as the products.
    """
    if not isinstance(search, Beam | Diverse | Constrained) or not isinstance(model, Model):
        return None
    return ShortlistSearch(shortlist, search, model, dtype) if shortlist and device.type == "cpu" else None


def _wanted(request: Request, row: int) -> list[int]:
    """The pieces that a sentence's translation must have."""
    required = request.required[row] if request.required else ()
    return [*(request.prefixes[row] if request.prefixes else ()), *(piece for phrase in required for piece in phrase)]


def _filled(lists: Sequence[Integers]) -> tuple[Tensor, Tensor]:
    """The lists one below the other, and their lengths."""
    longest = max(map(len, lists))
    ids = np.zeros((len(lists), -(-longest // UNIT) * UNIT), np.int64)
    for row, own in zip(ids, lists, strict=True):
        row[: len(own)] = own
    return torch.from_numpy(ids), torch.tensor([len(own) for own in lists])


def _placed(request: Request, lists: Sequence[List]) -> Request:
    """The request with positions in lists instead of pieces. The first ids are in every list, at their own positions.

    A banned phrase with a piece outside the list cannot occur.
    """

    def placed(known: List, phrases: Sequence[Phrase]) -> list[list[int]]:
        return [result for result in map(known.places, phrases) if result is not None]

    return request._replace(
        prefixes=[*map(_all, lists, request.prefixes)],
        required=[[_all(known, one) for one in ones] for known, ones in zip(lists, request.required, strict=False)],
        banned=[*map(placed, lists, request.banned)],
        complete=[*map(placed, lists, request.complete)],
        continuing=None if request.continuing is None else _continuing(request.continuing, lists),
    )


def _continuing(continuing: Bool[Tensor, "1 vocabulary"], lists: Sequence[List]) -> Bool[Tensor, "batch places"]:
    """Which places hold pieces that go on with a word."""
    longest = max(len(known.common) + -(-len(known.own) // UNIT) * UNIT for known in lists)
    result = torch.zeros(len(lists), longest, dtype=torch.bool)
    for row, known in zip(result, lists, strict=True):
        pieces = torch.from_numpy(np.concatenate([known.common, known.own]))
        row[: len(pieces)] = continuing[0, pieces]
    return result


def _all(known: List, phrase: Phrase) -> list[int]:
    """The places of pieces that are in the list."""
    result = known.places(phrase)
    assert result is not None, "what is wanted is in the list"
    return result
