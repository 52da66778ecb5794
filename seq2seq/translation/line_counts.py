"""How many lines became what, and how fast: one line for people, and whether anything was lost for scripts."""

from collections import Counter
from collections.abc import Iterable, Mapping

from seq2seq.io.line_stream import InputLines
from seq2seq.translation.translation import LOST, Status, Translation


class LineCounts:
    """Counts lines by their status, and by what else is said of them.

    statuses, besides: what an earlier call has counted, by the names of statuses.
    """

    def __init__(self, statuses: Mapping[str, int], besides: Mapping[str, int]) -> None:
        self.statuses = Counter({Status(name): count for name, count in statuses.items()})
        self.besides = Counter({Status(name): count for name, count in besides.items()})
        self.before = self.lines
        self.words = 0

    def add(self, translations: Iterable[Translation]) -> None:
        """Counts these lines."""
        for one in translations:
            self.statuses[one.status] += 1
            self.besides.update(one.notes[1:])
            self.words += len(one.text.split())

    def names(self) -> tuple[dict[str, int], dict[str, int]]:
        """What a later call counts on from: `statuses` and `besides`."""
        statuses, besides = ({str(one): count for one, count in each.items()} for each in (self.statuses, self.besides))
        return statuses, besides

    @property
    def lines(self) -> int:
        """All lines, those of an earlier call too."""
        return self.statuses.total()

    @property
    def lost(self) -> int:
        """Lines whose translation is not all that was asked for."""
        return sum(self.statuses[status] for status in LOST)

    def summary(self, read: InputLines, seconds: float, languages: bool) -> str:
        """One line about all of them; `languages`: whether wrong ones would have been found.

        `1,000 lines in 9.1 s (110 lines/s, 1,290 words/s): 996 ok, 3 blank, 1 copied (besides: 1 split)`. Words are
        those of the translations, by their spaces; speed is that of this call, the lines are those of all calls.
        """
        speed = f"{(self.lines - self.before) / max(seconds, 1e-9):,.0f} lines/s"
        speed += f", {self.words / max(seconds, 1e-9):,.0f} words/s"
        text = f"{self.lines:,} {'line' if self.lines == 1 else 'lines'} in {seconds:.1f} s ({speed})"
        text += f": {_named(self.statuses)}" if self.lines else ""
        text += f" (besides: {_named(self.besides)})" if self.besides else ""
        text += _invalid(read)
        return text if languages else f"{text}; off-target not looked for: the model folder tells nothing of languages"


def _named(counts: Counter[Status]) -> str:
    return ", ".join(f"{counts[status]:,} {status}" for status in Status if counts[status])


def _invalid(read: InputLines) -> str:
    if not read.invalid:
        return ""
    named = ", ".join(f"{number:,}" for number in read.where) + (", ..." if read.invalid > len(read.where) else "")
    return f"; {read.invalid:,} held bytes that are no UTF-8, read as U+FFFD ({read.name}: line {named})"
