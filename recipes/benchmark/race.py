"""What is measured of one contestant: speed on a file, time a line, time to the first line, memory, disk, quality."""

import math
import statistics
from pathlib import Path

from captions import Captions, lines
from contestant.base import Contestant, UnavailableError, size
from latency import WARM_UP, latency
from records import Record
from watched import watch

from seq2seq.evaluation.metric import score

SHORT = 100  # lines of the file whose time is taken off, because most of it is starting


class Race:
    """Measures in a folder of its own. cores: which ones; the last one is that of one-core measurements."""

    def __init__(self, folder: Path, captions: Captions, cores: list[int], seconds: float) -> None:
        self.folder, self.cores, self.seconds = folder, cores, seconds
        self.folder.mkdir(parents=True, exist_ok=True)
        self.test = lines(captions.side("test", "en"))
        self.references = lines(captions.side("test", "de"))

    def trial(self, who: Contestant) -> None:
        """Translates one line. Raises UnavailableError where that fails."""
        watch(who.translate(self.source(1), self.folder / "trial", 1, 1), self.folder / "trial", self.cores[-1:])
        self._counted(self.folder / "trial", 1)

    def speed(self, who: Contestant, beam: int, cores: int, before: list[Record]) -> tuple[Record, list[str]]:
        """Sentences and words a second, starting excluded, and the translations of the test set or more.

        before: earlier turns, whose number of lines is taken; else it is what takes about `seconds`.
        """
        short = self._run(who, beam, cores, SHORT)
        count = before[0]["lines"] if before else len(self.test)
        whole = self._run(who, beam, cores, count)
        if not before:
            wanted = self.seconds * (count - SHORT) / max(0.1, whole["seconds"] - short["seconds"])
            if (sets := math.ceil(wanted / count)) > 1:
                whole = self._run(who, beam, cores, count := sets * count)
        spent = max(1e-3, whole["seconds"] - short["seconds"])
        rates = {"sentences": (count - SHORT) / spent, "words": (whole["words"] - short["words"]) / spent}
        sides = {"command_seconds": whole["seconds"], "peak": whole["peak"]}
        sides |= {"own": whole["own"], "others": whole["others"]}
        return {"lines": count, **rates, **sides, "short_peak": short["peak"]}, lines(self.folder / "output")

    def _run(self, who: Contestant, beam: int, cores: int, count: int) -> Record:
        """A whole command. Raises UnavailableError where lines are missing."""
        output = self.folder / "output"
        chosen = self.cores[-1:] if cores == 1 else self.cores
        watched = watch(who.translate(self.source(count), output, beam, cores), output, chosen)
        return {**watched._asdict(), "words": sum(len(line.split()) for line in self._counted(output, count))}

    def _counted(self, output: Path, count: int) -> list[str]:
        translated = lines(output)
        if len(translated) != count:
            raise UnavailableError(f"{len(translated)} lines came out, and {count} went in")
        return translated

    def source(self, count: int) -> Path:
        """A file of so many lines: the test set, again and again."""
        file = self.folder / f"{count}.en"
        if not file.is_file():
            file.write_text("".join(f"{self.test[number % len(self.test)]}\n" for number in range(count)), "utf-8")
        return file

    def quality(self, translated: list[str]) -> Record:
        """BLEU and chrF of the test set's translations, which may stand there more than once."""
        found = score(translated[: len(self.test)], self.references, "de")
        words = statistics.mean(len(line.split()) for line in translated)
        return {"bleu": found.bleu, "chrf": found.chrf, "signature": found.signature["bleu"], "line_words": words}

    def latency(self, who: Contestant, beam: int, count: int) -> Record:
        """Milliseconds a line, of so many lines, on one core."""
        return latency(who.stream(beam), self.test[: WARM_UP + count], self.cores[-1])._asdict()

    def start(self, who: Contestant, times: int) -> Record:
        """Seconds from the command to the translation of a file's only line, with five hypotheses and all cores."""
        output = self.folder / "output"
        command = who.translate(self.source(1), output, 5, len(self.cores))
        found = [watch(command, output, self.cores) for _ in range(times)]
        first = statistics.median(one.first for one in found)
        return {"seconds": first, "every": [one.first for one in found], "peak": max(one.peak for one in found)}

    def disk(self, who: Contestant) -> Record:
        """Bytes of the model and what belongs to it."""
        return {"bytes": size(who.files())}
