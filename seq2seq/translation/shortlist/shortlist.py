"""Which target pieces a translation is likely to need: a list for each sentence, from what its pieces often become."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from seq2seq.data.arrays import Integers, Reals
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.io.text import read_json
from seq2seq.model_folder.weights import open_sidecar

FILE = "shortlist.safetensors"
ABOUT = "shortlist"  # the key of the file's own JSON
KINDS = {"starts": "i", "pieces": "iu", "likely": "f", "common": "i"}  # of numbers, by their tensors' names
FEWEST = 64  # candidates of a short sentence


@dataclass(frozen=True)
class Candidates:
    """What source pieces become in a target language.

    `pieces[starts[s] : starts[s + 1]]` are target pieces that the source piece s becomes, `likely` how likely each is;
    `common` pieces are in every sentence's list, sorted.
    """

    starts: Integers
    pieces: Integers
    likely: Reals
    common: Integers


class Shortlist:
    """Candidates of each target language; `share`: how many of them a sentence has for each of its source pieces."""

    def __init__(self, languages: dict[str, Candidates], share: float) -> None:
        self.languages = languages
        self.share = share

    def lists(
        self, sources: Sequence[Sequence[int]], language: str, required: Sequence[Sequence[int]]
    ) -> list[Integers]:
        """The sorted pieces of the shortlist of these sources, without the common ones.

        `required` pieces are included if they are not common.
        """
        known = self.languages[language]
        other = np.ones(1 + max(known.pieces.max(initial=0), known.common.max()))
        other[known.common] = 0
        return [self._list(known, other, source, more) for source, more in zip(sources, required, strict=True)]

    def _list(self, known: Candidates, other: Reals, source: Sequence[int], required: Sequence[int]) -> Integers:
        """Those with the highest sums of p(target | source) over the source; `other`: 0 for the common pieces, else 1.

        All sums are made at once, those of pieces that are no candidates too: that is faster than finding out who is.
        """
        begins, ends = known.starts[:-1][source].tolist(), known.starts[1:][source].tolist()
        spans = [slice(*span) for span in zip(begins, ends, strict=True)]
        pieces = np.concatenate([known.pieces[span] for span in spans])
        sums = np.bincount(pieces, np.concatenate([known.likely[span] for span in spans]), len(other)) * other
        result = np.flatnonzero(sums)
        count = max(FEWEST, int(self.share * len(source)))
        if len(result) > count:
            result = result[np.argpartition(-sums[result], count)[:count]]
        if not len(required):
            return np.sort(result)
        return np.union1d(result, np.setdiff1d(np.asarray(required, np.int64), known.common))

    def to_bytes(self) -> bytes:
        """The content of `shortlist.safetensors`, 4 bytes a candidate."""
        tensors = {}
        for number, known in enumerate(self.languages.values()):
            wide = np.uint16 if known.pieces.max(initial=0) < 1 << 16 else np.int32
            tensors[f"{number}.starts"] = known.starts.astype(np.int32)
            tensors[f"{number}.pieces"] = known.pieces.astype(wide)
            tensors[f"{number}.likely"] = known.likely.astype(np.float16)
            tensors[f"{number}.common"] = known.common.astype(np.int32)
        about = {"languages": [*self.languages], "share": self.share}  # of several keys safetensors draws the order
        return save(tensors, {ABOUT: json.dumps(about)})

    @classmethod
    def load(cls, folder: Path, tokenizer: Tokenizer) -> "Shortlist | None":
        """What lies in a model folder; None where nothing does. ModelError where it is damaged."""
        path = folder / FILE
        if not path.exists():
            return None
        with open_sidecar(path, "remove it, or make it again with seq2seq shortlist") as file:
            about = read_json(file.metadata()[ABOUT])
            names, share = about["languages"], float(about["share"])
            parts = [{part: file.get_tensor(f"{n}.{part}") for part in KINDS} for n in range(len(names))]
            languages = {str(name): _checked(part, tokenizer) for name, part in zip(names, parts, strict=True)}
            if not 0 < share < 1e6:
                raise ValueError(f"a share of {share}")
        return cls(languages, share)


def leading(tokenizer: Tokenizer) -> int:
    """The number of ids without text, which come first; every list begins with them."""
    return len(tokenizer.never_generated) + 1  # and EOS


def _checked(arrays: Mapping[str, Any], tokenizer: Tokenizer) -> Candidates:
    """The candidates, where they are some of this tokenizer's. Raises ValueError."""
    sources, targets = tokenizer.sizes
    for name, array in arrays.items():
        if array.ndim != 1 or array.dtype.kind not in KINDS[name]:
            raise ValueError(f"{name}: holds {array.dtype} in {array.ndim} axes")
    starts, pieces, likely, common = (arrays[name] for name in KINDS)
    if len(starts) != sources + 1 or starts[0] != 0 or starts[-1] != len(pieces) or (np.diff(starts) < 0).any():
        raise ValueError(f"starts: are no places of {sources} source pieces")
    if len(likely) != len(pieces) or not np.isfinite(likely).all():
        raise ValueError("likely: expected a finite number for each piece")
    if any(ids.min(initial=0) < 0 or ids.max(initial=0) >= targets for ids in (pieces, common)):
        raise ValueError(f"pieces, common: expected ids below {targets}")
    always = np.union1d(common, np.arange(leading(tokenizer)))
    return Candidates(starts.astype(np.int64), pieces.astype(np.int64), likely.astype(np.float64), always)
