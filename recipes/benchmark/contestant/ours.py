"""This toolkit, by its command line; and once more by its Python interface, where only the way lines come differs."""

import sys
from pathlib import Path

from contestant.base import UPDATE, Command, Contestant, spend
from models import MODELS, TEXT

SEARCH = {1: ["search=greedy"], 5: ["search=beam", "search.width=5"]}
TUNED = ["optimizer.learning_rate=0.002", "schedule.warmup=400", "trainer.ema=0.998", "trainer.validate_every=1000"]


class Ours(Contestant):
    """asked: a number format, or one and more options of `seq2seq translate`: `int8 translator.batch_tokens=9000`."""

    def __init__(self, run: Path, asked: str) -> None:
        number_format, *self.options = asked.split()
        self.run, self.number_format = run, number_format
        self.name = ", ".join(["seq2seq", number_format, *self.options])

    def install(self) -> None:
        """It is what runs this."""

    def train(self, minutes: float, threads: int) -> None:
        if (self.run / "model").is_dir():
            return
        updates = [f"loader.tokens={UPDATE // 4}", "trainer.accumulation=4", f"trainer.threads={threads}"]
        settings = [*TEXT, *MODELS["11M"], *TUNED, *updates, f"trainer.hours={minutes / 60}", f"run={self.run}"]
        self.run.mkdir(parents=True, exist_ok=True)
        spend(2 * minutes + 5, threads, [sys.executable, "-m", "seq2seq", "train", *settings], self.run / "train.txt")

    def files(self) -> list[Path]:
        return [self.run / "model"]

    def _command(self, beam: int, *places: str) -> list[str]:
        form = [f"precision={self.number_format}", *SEARCH[beam], *self.options, *places]
        return [sys.executable, "-m", "seq2seq", "translate", f"model={self.run}", *form]

    def translate(self, source: Path, output: Path, beam: int, threads: int) -> Command:
        return Command(self._command(beam, f"input={source}", f"output={output}", f"threads={threads}", "resume=false"))

    def stream(self, beam: int) -> Command:
        return Command(self._command(beam, "threads=1"))


class OursInPython(Ours):
    """The same through `seq2seq.load`: what a program sees that asks for one line after the other."""

    def __init__(self, run: Path, asked: str) -> None:
        super().__init__(run, asked)
        self.name += ", Python"

    def stream(self, beam: int) -> Command:
        script = Path(__file__).parent.parent / "stream" / "seq2seq_lines.py"
        return Command([sys.executable, str(script), str(self.run), str(beam), self.number_format])
