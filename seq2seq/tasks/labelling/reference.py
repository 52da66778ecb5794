"""Labels that pass by, compared with a file of the right ones."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seq2seq.errors import DataError
from seq2seq.io.text import Lines
from seq2seq.tasks.labelling.label_metrics import Agreement, LabelCounts
from seq2seq.tasks.labelling.labeller import Labeller, Labelling


class Reference:
    """A labeller beside the file `path`, whose line N has the right labels of line N.

    A label on a line that is blank to the labeller counts as missed. Raises DataError where the lines, or a tagger's
    labels on a line, are not as many.
    """

    def __init__(self, labeller: Labeller, path: Path) -> None:
        self.labeller, self.path = labeller, path
        self.counts = LabelCounts()
        self.number = 0
        self._wanted = iter(Lines(path))

    def label_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[list[Labelling]]:
        """What the labeller gives."""
        for result in self.labeller.label_chunks(chunks):
            for one in result:
                self._compare(one)
            yield result

    def agreement(self) -> Agreement:
        """Of everything that passed, which must have been all."""
        if more := sum(1 for _ in self._wanted):
            raise DataError(
                f"{self.path} has {self.number + more:,} lines, more lines than the input's {self.number:,}; give the "
                "labels of its lines"
            )
        return self.counts.agreement()

    def _compare(self, labelling: Labelling) -> None:
        line = next(self._wanted, None)
        self.number += 1
        if line is None:
            raise DataError(f"{self.path}: ends before line {self.number:,} of the input; give the labels of its lines")
        wanted = self.labeller.tokenizer.named(line)
        predicted = labelling.labels or ("",) * len(wanted)
        if len(wanted) != len(predicted):
            raise DataError(
                f"{self.path}:{self.number}: found {len(wanted)} labels, expected {len(predicted)} as in the input"
            )
        if wanted:
            self.counts.add(predicted, wanted)
