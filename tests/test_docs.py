"""Every command of a page runs on a toy corpus, or at least composes, and every Python example runs.

A fenced `sh` block is run by bash, in the order of the pages, in one folder; trainings get a tiny budget. Behind
`<!-- composed -->` the commands of a block are only composed; `<!-- not run: reason -->` leaves a block alone, and
`<!-- file: NAME -->` writes it to that file.
"""

import base64
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import apart
import pytest
from conftest import write_toy_text

import seq2seq as toolkit

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
TUTORIAL = "docs/tutorial.md"  # what it trains the others use
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*?) -->\n+)?```(?P<kind>sh|python|yaml)\n(?P<text>.*?)```\n", re.DOTALL)
SMALL_TEXT = {"tokenizer.vocab_size": "290"}  # more the toy corpus cannot fill
TINY = SMALL_TEXT | {
    "model.width": "16",
    "model.word_dropout": "0",
    "encoder.layers": "1",
    "decoder.layers": "1",
    "loader.max_tokens": "200",
    "trainer.updates": "2",
    "trainer.validate_every": "2",
    "trainer.average_checkpoints": "0",
    "trainer.cores": "1",
    "validation.max_lines": "4",
}
QUICKSTART = (
    "seq2seq train corpus=files corpus.path=my_text 'corpus.directions=[en-de,en-fr,en-cs]' run=runs/quickstart"
)
LOST = 3  # the exit code where a translation is truncated, as those of an untrained model are
LACKING = {  # keys that a command has not
    "train_language_model": ("encoder.layers", "decoder.layers", "loader.max_tokens", "validation.max_lines"),
    "train_classifier": ("decoder.layers", "validation.max_lines"),
    "train_tagger": ("decoder.layers", "validation.max_lines"),
    "train_generator": ("encoder.layers",),
}
ONE_CORE = {"cores": "1"}
OTHERS = {  # what other commands are given
    "prepare": SMALL_TEXT,
    "doctor": SMALL_TEXT,
    "analyse": {"formats": "[html]"},
    **dict.fromkeys(("translate", "evaluate", "score", "label", "sample", "generate"), ONE_CORE),
}
SEQ2SEQ = """#!/bin/bash
# hands the command and its streams to the test, which runs it in a process that has imported everything
mkfifo "{here}/$$"
printf '%s\\0' "$$" "$PWD" "$@" | base64 -w 0 > "{here}/$$.command"
echo "$$" > "{here}/requests"
read -r code < "{here}/$$"
exit "$code"
"""


class Block(NamedTuple):
    """A fenced block of a page, and the comment in front of it."""

    page: str
    line: int
    mark: str
    kind: str
    text: str


def blocks(kind: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("text"))
            found.append(Block(page, line, match["mark"] or "", match["kind"], match["text"]))
    return [block for block in found if block.kind == kind and not block.mark.startswith("not run: ")]


def name(block: Block) -> str:
    return f"{block.page}:{block.line}"


class Server:
    """Runs the `seq2seq` of a shell in forked processes; `given` are the commands, as they came."""

    def __init__(self, folder: Path, run: bool = True) -> None:
        self.here, self.run = folder, run
        self.given: list[list[str]] = []
        folder.mkdir()
        os.mkfifo(folder / "requests")
        program = folder / "bin" / "seq2seq"
        program.parent.mkdir()
        program.write_text(SEQ2SEQ.format(here=folder), "utf-8")
        program.chmod(0o755)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        requests = os.open(self.here / "requests", os.O_RDWR)  # held open, so that it never ends
        with os.fdopen(requests) as lines:
            for line in lines:
                threading.Thread(target=self._answer, args=(line.strip(),), daemon=True).start()

    def _answer(self, number: str) -> None:
        words = base64.b64decode((self.here / f"{number}.command").read_bytes()).decode().split("\0")[:-1]
        _, folder, *arguments = words
        self.given.append(arguments)
        code = self._become(number, folder, arguments) if self.run else 0
        (self.here / number).write_text(f"{code}\n")

    def _become(self, number: str, folder: str, arguments: list[str]) -> int:
        streams = [f"/proc/{number}/fd/{stream}" for stream in (0, 1, 2)]
        settings = {**os.environ, "PYTHONPATH": str(ROOT)}
        given = "seq2seq", tiny(arguments), Path(folder), streams, settings
        process = apart.SERVER.Process(target=apart._become, args=given)
        process.start()
        process.join(apart.PATIENCE)
        code = 99 if process.exitcode is None else process.exitcode
        return 0 if code == LOST else code


def tiny(arguments: list[str]) -> list[str]:
    """The command on one core, with a budget of two updates (or two more) and a vocabulary that the text can fill."""
    command, *words = arguments or [""]
    keys = TINY if command.startswith("train") else OTHERS.get(command, {})
    if "--cfg" in words or not keys:
        return arguments
    keys = {key: value for key, value in keys.items() if key not in LACKING.get(command, ())}
    if command in LACKING:  # these read one language
        keys["tokenizer.vocab_size"] = "280"
    if "tokenizer=existing" in words:
        keys.pop("tokenizer.vocab_size")
    if any(word.startswith("trainer.updates=+") for word in words):
        keys["trainer.updates"] = "+2"
    own = [word for word in words if word.partition("=")[0] not in keys]
    return [command, *own, *(f"{key}={value}" for key, value in keys.items())]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    return Server(tmp_path_factory.mktemp("docs") / "server")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Path:
    """A folder with the text that the pages suppose, in which the commands of the tutorial have run."""
    folder = tmp_path_factory.mktemp("work")
    write_toy_text(folder / "my_text")
    for split in ("train", "valid"):
        lines = (folder / f"my_text/{split}.en").read_text("utf-8").splitlines()
        labels = ["long" if len(line.split()) > 3 else "short" for line in lines]
        tags = [" ".join(word[0] for word in line.split()) for line in lines]
        rows = [f"{line}\t{label}" for line, label in zip(lines, labels, strict=True)]
        for path, texts in {
            f"my_tokens/{split}.text": lines,
            f"my_tokens/{split}.tags": tags,
            f"my_phrases/{split}.text": lines,
            f"my_phrases/{split}.label": labels,
            f"my_lines/{split}.tsv": rows,
        }.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text("".join(f"{text}\n" for text in texts), "utf-8")
    run_page(TUTORIAL, folder, server)
    for path in (folder / "my_text").glob("*.de"):
        for language in ("fr", "cs"):
            shutil.copy(path, path.with_suffix(f".{language}"))
    done = bash(QUICKSTART, folder, server)
    assert done.returncode == 0, done.stderr
    return folder


def bash(text: str, folder: Path, server: Server) -> subprocess.CompletedProcess[str]:
    path = f"{server.here / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(folder), "SEQ2SEQ_DATA": "/nowhere"}
    command = ["bash", "-euo", "pipefail", "-c", text]
    return subprocess.run(
        command, cwd=folder, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )


def run_page(page: str, folder: Path, server: Server) -> None:
    """Its blocks, in order, each with the arrays that earlier ones define, as a reader would paste them."""
    for block in blocks("yaml") + blocks("python"):
        if block.page == page and block.mark.startswith("file: "):
            path = folder / block.mark.removeprefix("file: ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
    arrays = ""
    for block in blocks("sh"):
        if block.page == page and block.mark != "composed":
            done = bash(arrays + block.text, folder, server)
            assert done.returncode == 0, f"{name(block)}\n{done.stdout}\n{done.stderr}"
            arrays += arrays_of(block.text)


def arrays_of(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if re.match(r"\w+=\(", line))


def test_the_page_of_the_api_has_every_name() -> None:
    page = (ROOT / "docs/reference/python.md").read_text("utf-8")
    names = {line.rpartition(".")[2] for line in page.splitlines() if line.startswith("::: ")}
    assert {name for name in toolkit.__all__ if not name.startswith("_")} <= names


def test_the_pages_have_commands() -> None:
    assert len(blocks("sh")) > 30 and len(blocks("python")) > 5


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != TUTORIAL and page in {one.page for one in blocks("sh")}]
)
def test_commands_of_a_page_run(page: str, work: Path, server: Server) -> None:
    run_page(page, work, server)


@pytest.mark.parametrize("block", [block for block in blocks("sh") if block.mark == "composed"], ids=name)
def test_what_is_not_run_composes(block: Block, tmp_path: Path) -> None:
    server = Server(tmp_path / "server", run=False)
    earlier = [arrays_of(one.text) for one in blocks("sh") if one.page == block.page and one.line < block.line]
    done = bash("".join([*earlier, block.text]), tmp_path, server)
    assert done.returncode == 0 and server.given, done.stderr
    for command in server.given:
        words = [word.partition(",")[0] if "-m" in command else word for word in command if word != "-m"]
        asked = apart.run(
            "seq2seq", [*(word for word in words if not word.startswith("hydra")), "--cfg", "job"], tmp_path
        )
        assert asked.returncode == 0, f"{shlex.join(command)}\n{asked.stderr}"


@pytest.mark.parametrize("block", [one for one in blocks("python") if not one.mark.startswith("file: ")], ids=name)
def test_python_of_a_page_runs(block: Block, work: Path, tmp_path: Path) -> None:
    program = tmp_path / "page.py"
    program.write_text(block.text, "utf-8")
    done = apart.run(program, [], work)
    assert done.returncode == 0, done.stderr
