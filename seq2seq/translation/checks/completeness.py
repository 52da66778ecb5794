"""Statistics of the lengths of training lines and translations, by direction.

Longer sources are split, shorter translations get a status. The statistics come from a sample of the training text and
are stored in config.json of the model folder (`lengths`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.arrays import Integers, Reals
from seq2seq.data.dataset.store import Store, balanced_sample
from seq2seq.data.sentence_splitter import sentences
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.alignment import TeacherForcing
from seq2seq.network.model import Model
from seq2seq.translation.details import TokenPair, batches

ROWS = 20_000  # of each language that are looked at, at most
USUAL = 0.05  # of the lines have at most this many sentences
LONGEST = 0.99  # of the lines are not longer; with .999 captions joined by commas lose 3.5 BLEU, others gain none
SHORTEST = 0.001  # of the translations are shorter
DOUBTFUL = 0.5  # of the deviation of those
MOST_TOKENS, FEWEST_TOKENS = 250, 16  # of a segment, whatever the training text
OLD = 3  # times the length that 3 of 4 lines do not exceed, which is all that older model folders know
SAMPLE = 500  # lines of each language and side that are read
LEAST = 0.005  # of training's translations leave more of their source unattended


class Lengths(NamedTuple):
    """What was usual in a direction's training text; lengths in tokens, tag and EOS not counted.

    sentences: of a source line: as many as at least 5 % of the lines have. tokens: of a source line: 99 % have no
    more. ratio: of all target tokens to all source tokens. shortest: 99.9 % of the translations of n tokens have at
    least `ratio * n + shortest * sqrt(n)`, as deviations grow like those of a sum. attended: 99.5 % have at least so
    much of their source attended. None where that is not known.
    """

    sentences: int = 1
    tokens: int = MOST_TOKENS
    ratio: float | None = None
    shortest: float | None = None
    attended: float | None = None

    def fewest(self, tokens: int) -> float:
        """The smallest length of a translation of this many tokens, except for one in 1,000."""
        if self.ratio is None or self.shortest is None:
            return 0.0
        return float(self.ratio * tokens + self.shortest * np.sqrt(tokens))

    def doubtful(self, tokens: int, translated: int) -> bool:
        """Whether a translation is short enough to ask what of its source was attended: one of ten or so is."""
        if self.ratio is None or self.shortest is None or self.attended is None:
            return False
        return translated < self.ratio * tokens + DOUBTFUL * self.shortest * float(np.sqrt(tokens))


LengthsOf = Mapping[tuple[str, str], Lengths]  # by direction


def learn_lengths(store: Store) -> dict[tuple[str, str], Lengths]:
    """Those of every direction of a training text."""
    rows = balanced_sample(store, ROWS)
    languages = np.stack(store.language_numbers(rows), 1)
    result = {}
    for source, target in np.unique(languages, axis=0).tolist():
        own = rows[(languages == (source, target)).all(1)]
        direction = store.languages[source], store.languages[target]
        result[direction] = _lengths(*store.lengths(own), store.texts(own)[0], direction[0])
    return result


def to_json(lengths: Mapping[tuple[str, str], Lengths]) -> list[dict[str, Any]]:
    """In the form of config.json."""
    return [{"direction": list(direction), **one._asdict()} for direction, one in lengths.items()]


def from_json(content: Mapping[str, Any], directions: Sequence[tuple[str, str]], where: str) -> LengthsOf:
    """The lengths of each direction from config.json; careful values for what older folders lack.

    Raises ModelError.
    """
    usual = content.get("usual_source")  # of older folders; some lack this too
    if usual is not None and (not isinstance(usual, int) or usual < 1):
        raise ModelError(f"{where}: usual_source: expected a positive int or null, got {usual!r}")
    tokens = MOST_TOKENS if usual is None else min(max(OLD * usual, FEWEST_TOKENS), MOST_TOKENS)
    result = dict.fromkeys(directions, Lengths(tokens=tokens))
    entries = content.get("lengths") or []
    if not isinstance(entries, list):
        raise ModelError(f"{where}: lengths: expected a list, got {entries!r}")
    for entry in entries:
        direction, one = _entry(entry, f"{where}: lengths")
        result[direction] = one
    return result


def _entry(entry: object, where: str) -> tuple[tuple[str, str], Lengths]:
    """One direction's."""
    try:
        assert isinstance(entry, dict)
        values = {**entry}
        source, target = values.pop("direction")
        one = Lengths(**values)
        assert all(isinstance(value, int) and value > 0 for value in one[:2])
        assert all(value is None or isinstance(value, int | float) for value in one[2:])
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{where}: expected a direction, positive ints `sentences` and `tokens`, numbers or null `ratio`, "
            f"`shortest` and `attended`, got {entry!r}"
        ) from error
    return (str(source), str(target)), one


def shared(lengths: Sequence[LengthsOf]) -> LengthsOf:
    """What several models of an ensemble all know; what is too short for one of them is so for all."""
    return {direction: _shared([one[direction] for one in lengths if direction in one]) for direction in lengths[0]}


def _shared(several: Sequence[Lengths]) -> Lengths:
    """One direction's."""
    attended = [one.attended for one in several if one.attended is not None]
    return several[0]._replace(
        sentences=min(one.sentences for one in several),
        tokens=min(one.tokens for one in several),
        attended=min(attended) if len(attended) == len(several) else None,
    )


def _lengths(source: Integers, target: Integers, texts: Sequence[str], language: str) -> Lengths:
    """Those of pairs, of which there is at least one."""
    counts = np.array([len(sentences(text, language)) for text in texts])
    usual = next(
        number for number in range(max(1, counts.max()), 0, -1) if number == 1 or (counts >= number).mean() >= USUAL
    )
    longest = int(np.quantile(source, LONGEST, method="inverted_cdf"))
    ratio = float(target.sum() / max(1, source.sum()))
    shortest = float(np.quantile(deviations(source, target, ratio), SHORTEST, method="inverted_cdf"))
    tokens = min(max(longest, FEWEST_TOKENS), MOST_TOKENS)
    return Lengths(usual, tokens, round(ratio, 4), round(shortest, 4))


def deviations(source: Integers, target: Integers, ratio: float) -> Reals:
    """How much longer translations are than expected, in units in which long ones deviate like short ones."""
    deviation: Reals = (target - ratio * source) / np.sqrt(np.maximum(source, 1))
    return deviation


def attended(weights: Float[Tensor, "target source"]) -> float:
    """The share of the source that got attention: each piece's weights, summed and cut at 1, averaged, from 0 to 1.

    The root makes one piece without attention count more than several with little of it.
    """
    return float(weights.sum(0).clamp(max=1).sqrt().mean())


@torch.inference_mode()
def attention_shares(
    forcing: TeacherForcing, pairs: Sequence[TokenPair], tag: int, device: torch.device
) -> list[float]:
    """`attended` of each pair, in the order given; of a network some attention of which looks at words."""
    shares = [0.0] * len(pairs)
    for rows, batch in batches(pairs, tag, device):
        looked = forcing.looked(batch).cpu()
        for place, row in enumerate(rows):
            pair = pairs[row]
            shares[row] = attended(looked[place, : len(pair.target) + pair.finished, 1 : 1 + len(pair.source)])
    return shares


def with_attention(
    lengths: Mapping[tuple[str, str], Lengths], network: Model, store: Store, tokenizer: Tokenizer
) -> dict[tuple[str, str], Lengths]:
    """The usual lengths, and the usual attention of this network on its training text, if it attends to words."""
    rows = balanced_sample(store, SAMPLE)
    rows = rows[store.lengths(rows)[0] > 0]  # text of a language by itself has no source
    targets = store.language_numbers(rows)[1]
    was_training = network.training
    network.eval()
    try:
        forcing, device = TeacherForcing(network), network.output_weight.device
        forcing.check()
        shares: list[float] = []
        for number in np.unique(targets).tolist():
            sources, translations = store.ids(rows[targets == number])
            ids = zip(sources, translations, strict=True)
            pairs = [TokenPair(one.tolist(), other.tolist(), True) for one, other in ids]
            shares += attention_shares(forcing, pairs, tokenizer.tag_id(store.languages[number]), device)
    except ConfigError:
        return dict(lengths)
    finally:
        network.train(was_training)
    if not shares:
        return dict(lengths)
    least = round(float(np.quantile(shares, LEAST, method="inverted_cdf")), 4)
    return {direction: one._replace(attended=least) for direction, one in lengths.items()}
