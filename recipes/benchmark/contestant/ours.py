"""This toolkit, by its command line; and once more by its Python interface, where only the way lines come differs."""

import subprocess
import sys
from pathlib import Path

from contestant.base import UPDATE, Command, Contestant, UnavailableError, spend
from models import CACHE, MODELS, TEXT

SEARCH = {1: ["search=greedy"], 5: ["search=beam", "search.beam_size=5"]}
NETWORK = MODELS["11M, SRU"]
TUNED = [
    "optimizer.learning_rate=0.001",
    "schedule.warmup=400",
    "trainer.ema_decay=0.998",
    "trainer.validate_every=1000",
]
PROGRAM = [sys.executable, "-m", "seq2seq"]
FLAWED = 3  # its exit code where all lines came out, but some were truncated or repeat themselves


class Ours(Contestant):
    """asked: a number format, or one and more options of `seq2seq translate`: `int8 translator.batch_tokens=9000`.

    The model is stored in that format too, by `seq2seq export`, beside the run folder.
    """

    def __init__(self, run: Path, asked: str) -> None:
        self.number_format, *self.options = asked.split()
        self.run, self.model = run, run.with_name(f"{run.name}_{self.number_format}")
        self.name = ", ".join(["seq2seq", asked])

    def install(self) -> None:
        """It is what runs this."""

    def train(self, minutes: float, threads: int) -> None:
        if not (self.run / "model").is_dir():
            updates = [f"loader.max_tokens={UPDATE // 4}", "trainer.accumulation=4", f"trainer.cores={threads}"]
            settings = [*TEXT, *NETWORK, *TUNED, *updates, f"trainer.hours={minutes / 60}", f"run={self.run}"]
            self.run.mkdir(parents=True, exist_ok=True)
            spend(2 * minutes + 5, threads, [*PROGRAM, "train", *settings], self.run / "train.txt")
            listing = [*PROGRAM, "shortlist", f"model={self.run}", f"cache={CACHE}"]
            spend(5, threads, listing, self.run / "shortlist.txt")
        places = [f"model={self.run}", f"output={self.model}", f"precision={self.number_format}"]
        done = subprocess.run([*PROGRAM, "export", *places], capture_output=True, text=True)
        if done.returncode:
            raise UnavailableError(f"export: {done.stderr.strip()[-300:]}")

    def files(self) -> list[Path]:
        return [self.model]

    def _command(self, beam: int, *places: str) -> list[str]:
        form = [f"precision={self.number_format}", *SEARCH[beam], *self.options, *places]
        return [*PROGRAM, "translate", f"model={self.model}", *form]

    def translate(self, source: Path, output: Path, beam: int, threads: int) -> Command:
        files = (f"input={source}", f"output={output}", f"cores={threads}", "resume=false")
        return Command(self._command(beam, *files), accepted=(0, FLAWED))

    def stream(self, beam: int) -> Command:
        return Command(self._command(beam, "cores=1"))


class OursInPython(Ours):
    """The same through `seq2seq.load`: what a program sees that asks for one line after the other."""

    def __init__(self, run: Path, asked: str) -> None:
        super().__init__(run, asked)
        self.name += ", Python"

    def stream(self, beam: int) -> Command:
        script = Path(__file__).parent.parent / "stream" / "seq2seq_lines.py"
        return Command([sys.executable, str(script), str(self.model), str(beam), self.number_format])
