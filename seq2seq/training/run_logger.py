"""What a run tells: to whoever watches, to log.jsonl, and of the lines it could not learn from."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from seq2seq.io.atomic import storing
from seq2seq.training.log_file import LogFile, Values
from seq2seq.training.progress import Reporter


class RunLogger:
    """The records of a run in `folder`; `records` of them, and those up to `update`, are there already.

    Only the leader of a process group tells anything: the others have no `reporter`.
    """

    def __init__(self, folder: Path, records: int, update: int, reporter: Reporter | None) -> None:
        self.folder = folder
        self.reporter = reporter
        self._log = None if reporter is None else LogFile(folder, records, update)

    @property
    def records(self) -> int:
        """Lines of the log."""
        return 0 if self._log is None else self._log.records

    def say(self, text: str) -> None:
        """A line for whoever watches."""
        if self.reporter is not None:
            self.reporter.say(text)

    def write(self, event: str, update: int, values: Values) -> None:
        """A record of the log."""
        if self._log is not None:
            self._log.write(event, update, values)

    def training(self, update: int, progress: float, left: float | None, values: Mapping[str, float | int]) -> None:
        """How the last updates went; `left` is the time in seconds that the budget leaves, where it can be known."""
        self.write("training", update, values)
        if self.reporter is not None:
            self.reporter.training(update, progress, left, values)

    def validation(self, update: int, scores: Mapping[str, float], better: bool, seconds: float) -> None:
        """The scores of a validation."""
        self.write("validation", update, {"scores": scores, "better": better, "seconds": seconds})
        if self.reporter is not None:
            self.reporter.validation(update, scores, better)

    def skipped(self, update: int, loss: float, texts: Iterable[tuple[str, str]]) -> None:
        """An update that changed nothing, for its loss or its gradient was not finite; `texts` are its pairs."""
        if self.reporter is None:
            return
        path = self.folder / "skipped" / f"{update:08d}.jsonl"
        lines = [json.dumps({"source": source, "target": target}, ensure_ascii=False) for source, target in texts]
        with storing(path):
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self.write("skipped", update, {"loss": loss})
        self.say(f"update {update:,}: skipped, its loss or gradient was not finite; its lines are in {path}")

    def sync(self) -> None:
        """Bring all records to the disk: before a checkpoint that counts them."""
        if self._log is not None:
            self._log.sync()

    def close(self) -> None:
        """Close the files."""
        if self._log is not None:
            self._log.close()
