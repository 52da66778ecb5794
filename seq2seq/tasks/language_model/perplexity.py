"""How well a language model predicts a text: perplexity per token and bits per character, and what is counted.

    perplexity           exp(nats / tokens)          tokens: a line's pieces and its EOS
    bits per character   nats / ln 2 / characters    characters: a line's code points and its end

Nats are those of the same tokens: of every piece, and of the EOS that is the end of the line; a language's tag is
given, not predicted. So bits per character compare between tokenizers, perplexities do not.
"""

import math
from collections.abc import Iterable


def perplexity(nats: float, tokens: int) -> float:
    """`exp(nats / tokens)`, infinite where that is too large; nats is the negative log-probability of the text."""
    try:
        return math.exp(nats / max(1, tokens))
    except OverflowError:
        return math.inf


def bits_per_character(nats: float, characters: int) -> float:
    """`nats / ln 2 / characters`."""
    return nats / math.log(2) / max(1, characters)


def characters(lines: Iterable[str]) -> int:
    """Code points of the lines, and one a line for its end."""
    return sum(len(line) + 1 for line in lines)
