"""Translations that loop, as recurrent ones do on odd input, and what is done about them: another search."""

from collections.abc import Sequence
from itertools import accumulate

from seq2seq.errors import ConfigError
from seq2seq.search.base import Hypothesis

LONGEST_RUN = 24  # tokens; loops of longer runs end at the search's longest length


class Repair:
    """Finds translations that repeat themselves, and decides whether a second search is better.

    A translation repeats itself if a run of at most 24 tokens occurs `min_repeats` times in succession or more, and
    more often than any run of its source: `ha ha ha ha ha` may stay. It is searched again with `no_repeat_ngram`
    (blocked n-grams of this length), and so is one that reached the maximum length without EOS. Raises ConfigError.
    """

    def __init__(self, min_repeats: int, no_repeat_ngram: int) -> None:
        if min_repeats < 2:
            raise ConfigError(f"translator.repair.min_repeats: expected an int of at least 2, got {min_repeats}")
        if no_repeat_ngram < 1:
            raise ConfigError(f"translator.repair.no_repeat_ngram: expected a positive int, got {no_repeat_ngram}")
        self.min_repeats = min_repeats
        self.no_repeat_ngram = no_repeat_ngram

    def needed(self, source: Sequence[int], hypothesis: Hypothesis) -> bool:
        """Whether a translation is to be searched again; `source` and the translation are ids."""
        return not hypothesis.finished or self.loops(source, hypothesis.tokens)

    def loops(self, source: Sequence[int], tokens: Sequence[int]) -> bool:
        """Whether a translation repeats itself as its source does not."""
        # Most translations have too few equal tokens: `min_repeats` equal runs hold a token that often, so that
        # spare.
        if len(tokens) - len(set(tokens)) < self.min_repeats - 1:
            return False
        count = most_repeats(tokens)
        return count >= self.min_repeats and count > most_repeats(source)

    def better(self, source: Sequence[int], old: Hypothesis, new: Hypothesis) -> bool:
        """Whether a second search found a better translation: it ends, without a loop, and no later."""
        return new.finished and not self.loops(source, new.tokens) and len(new.tokens) <= len(old.tokens)


def most_repeats(tokens: Sequence[int]) -> int:
    """How often in a row the most repeated run of tokens comes: 3 in `a b c b c b c d`, 1 where none is repeated."""
    longest_run = 1
    for length in range(1, min(LONGEST_RUN, len(tokens) // 2) + 1):
        equal = map(int.__eq__, tokens[length:], tokens)
        streak = max(accumulate(equal, lambda streak, same: (streak + 1) * same, initial=0))
        longest_run = max(longest_run, 1 + streak // length)
    return longest_run
