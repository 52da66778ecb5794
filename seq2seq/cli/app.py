"""The command line: `seq2seq COMMAND [override ...]`, one Hydra application per command.

The keys of conf/COMMAND.yaml are the arguments of `run` in cli/COMMAND.py (a function, or a TrainJob class), which gets
plain dicts only; commands of two words such as `analyse curves` have an underscore there. Exit codes: 0 done; 1 failed
(the message says why), or `doctor` found a problem; 2 wrong command line or override; 3 `translate` wrote every line,
but some translations are truncated, empty or break constraints; 130 interrupted. Tracebacks are shown if the
environment variable SEQ2SEQ_TRACEBACK is 1.
"""

import gc
import importlib
import inspect
import multiprocessing
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq import plugins as own
from seq2seq._version import __version__
from seq2seq.cli.arguments import arranged, choice_of, own_folder, sweep_folder
from seq2seq.cli.arguments import text as quoted
from seq2seq.cli.text_keys import TextKeys
from seq2seq.config.aliases import renamed
from seq2seq.config.build import call, configuration_folder, suggestion, unknown_key
from seq2seq.errors import ConfigError, Seq2SeqError

COMMANDS = {
    "doctor": "look at a corpus before anything is spent on it",
    "prepare": "clean, tokenise and store a corpus (cached)",
    "train": "train a translator; the same command again resumes",
    "translate": "translate a file or standard input, line by line",
    "export": "write a model once more, smaller: int8 or bf16 weights",
    "shortlist": "learn which pieces each sentence needs, so that a translator searches faster",
    "evaluate": "score a translator, or files: BLEU, chrF, TER with signatures",
    "train_language_model": "train a language model; the same command again resumes",
    "score": "how probable lines are to a language model, or translations to a translator",
    "sample": "lines that a language model writes",
    "train_classifier": "train a classifier of lines; the same command again resumes",
    "train_tagger": "train a tagger of tokens; the same command again resumes",
    "train_generator": "train a generator of lines from labels or numbers; the same command again resumes",
    "label": "label a file or standard input with a classifier or a tagger, line by line",
    "generate": "generate a line of text for every label, or line of numbers",
    "analyse curves": "draw loss, scores, learning rate and speed of one or several runs",
}
HELP = """usage: seq2seq COMMAND [key=value ...] [-m] [--cfg job] [--config-dir FOLDER]

{commands}

  seq2seq COMMAND --help     what a command can be told: its groups and its keys
  seq2seq COMMAND --cfg job  the configuration that would be used
  seq2seq --version

example: seq2seq train corpus=files corpus.path=my_text corpus.directions=[en-de] run=runs/ende
"""
FAILED, USAGE, INTERRUPTED = 1, 2, 130
SIGNALLED = 128  # exit codes above it are signals
CODES = ".exit_codes"  # of the jobs of a sweep that other processes do


def entry() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns the exit code; every message goes to standard error."""
    # read once, when torch is imported: idle threads would spin on cores that worker processes and others need
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    command, overrides = _named(arguments)
    if command in ("--help", "-h", "help"):
        print(HELP.format(commands=_listed(COMMANDS)), end="")
        return 0
    if command == "--version":
        print(f"seq2seq {__version__}")
        return 0
    if subjects := {name: text for name, text in COMMANDS.items() if name.startswith(f"{command} ")}:
        print(f"usage: seq2seq {command} SUBJECT [key=value ...]\n\n{_listed(subjects)}")
        return 0 if {"--help", "-h"} & set(overrides) else USAGE
    if command not in COMMANDS:
        _say(f"seq2seq: unknown command {command}{suggestion(command, COMMANDS)}\nseq2seq --help lists what there is")
        return USAGE
    try:
        return _application(command, overrides)
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED


def _named(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The command, of one word or two, and its overrides."""
    first = arguments[0] if arguments else "--help"
    if any(name.startswith(f"{first} ") for name in COMMANDS) and len(arguments) > 1 and arguments[1].isidentifier():
        return f"{first} {arguments[1]}", list(arguments[2:])
    return first, list(arguments[1:])


def _listed(commands: Mapping[str, str]) -> str:
    return "\n".join(f"  {name:22} {text}" for name, text in commands.items())


def _application(command: str, overrides: list[str]) -> int:
    """One Hydra run or sweep of a command. A sweep continues after a failed job and returns the worst exit code."""
    import hydra

    codes, process = [], os.getpid()
    if (folder := own_folder(overrides)) is not None:
        own.use(folder)
    yaml_folders = [Path(folder)] if folder is not None else []
    keys = TextKeys(
        _file(command), lambda: _function(command), choice_of(overrides), [*yaml_folders, configuration_folder()]
    )
    words = arranged(command, overrides, keys)

    def task(config: Any) -> None:
        elsewhere = os.getpid() != process  # in a launcher's process
        if elsewhere:  # its child processes would look for it
            multiprocessing.set_start_method("spawn", force=True)
        code = _guarded(lambda: _job(command, config, words))
        _leave(code, words)
        if code > SIGNALLED and not elsewhere:  # skip the remaining jobs
            sys.exit(code)

    with tempfile.TemporaryDirectory() as temporary:  # Hydra would write a file about the sweep
        place = sweep_folder(overrides) or temporary
        shutil.rmtree(Path(place, CODES), ignore_errors=True)  # of an earlier sweep
        os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise its errors instead of printing them
        saved, sys.argv = sys.argv, [f"seq2seq {command}", f"hydra.sweep.dir={quoted(place)}", *words]
        try:
            application = hydra.main(
                version_base="1.3", config_path=str(configuration_folder()), config_name=_file(command)
            )
            codes.append(_guarded(application(task)))
        except SystemExit as done:  # argparse, --help, what Hydra refuses, and a job that a signal ended
            codes.append(done.code if isinstance(done.code, int) else 0)
        finally:
            sys.argv = saved
        return max(*codes, *_left(Path(place, CODES)))


def _leave(code: int, arguments: Sequence[str]) -> None:
    """Stores the exit code of this job, with the overrides that identify it, for the process that started it."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    settings: Any = HydraConfig.get()
    folder = Path(settings.sweep.dir, CODES)
    folder.mkdir(parents=True, exist_ok=True)
    name = _folder_name(settings.overrides.task, _swept(arguments))
    (folder / str(OmegaConf.select(settings, "job.num", default=0))).write_text(f"{code} {name}", "utf-8")


def _left(folder: Path) -> list[int]:
    """The exit codes of all jobs; prints which jobs of a sweep failed."""
    codes = [0]
    for path in sorted(folder.glob("*")):
        code, _, name = path.read_text("utf-8").partition(" ")
        codes.append(int(code))
        if codes[-1] and name:
            _say(f"{name}: ended with exit code {code}")
    return codes


def _job(command: str, config: Any, arguments: Sequence[str]) -> int:
    """One job of a sweep, or the only one, of a command line."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    node = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(node, dict)
    settings = HydraConfig.get()
    if settings.mode == RunMode.MULTIRUN and isinstance(node.get("run"), str):  # two jobs must not share a run folder
        node["run"] = str(Path(str(node["run"])) / _folder_name(settings.overrides.task, _swept(arguments)))
    function = _function(command)
    given = {str(key): value for key, value in node.items()} | {"configuration": node}
    parameters = inspect.signature(function).parameters  # the other keys are parts that these refer to
    for key in given.keys() - parameters.keys():
        if renamed(key) in parameters:  # from a user's own YAML, or +key=value
            raise ConfigError(unknown_key(key, parameters))
    outcome = call(function, {key: value for key, value in given.items() if key in parameters})
    return (outcome.train() if isinstance(function, type) else outcome) or 0


def _function(command: str) -> Callable[..., Any]:
    """What does the command: a function, or a class of TrainJobs.

    Nothing that its import makes is garbage, and looking for some takes a sixth of it.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        function: Callable[..., Any] = importlib.import_module(f"seq2seq.cli.{_file(command)}").run
        return function
    finally:
        if collects:
            gc.enable()


def _file(command: str) -> str:
    """The name of a command's YAML and of its module."""
    return command.replace(" ", "_")


def _swept(arguments: Sequence[str]) -> set[str]:
    """The keys that a command line gives several values: `cell` of `-m cell=lstm,gru seed=1`."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    overrides = [one for one in arguments if "=" in one and not one.startswith("-")]
    parsed = OverridesParser.create().parse_overrides(overrides)
    return {one.get_key_element().lstrip("+") for one in parsed if one.is_sweep_override()}


def _folder_name(overrides: Sequence[str], swept: set[str]) -> str:
    """The swept overrides of a job as a folder name: `cell=gru,seed=2`; empty if it has its own `run`."""
    kept = [one for one in overrides if one.lstrip("+").split("=")[0] in swept - {"run"}]
    return ",".join(kept).replace("/", "_")


def _guarded(action: Callable[[], int | None]) -> int:
    """The exit code of `action`; an error becomes one clean message."""
    try:
        return action() or 0
    except Exception as error:
        if os.environ.get("SEQ2SEQ_TRACEBACK") == "1":
            traceback.print_exc()
        code, message = _explained(error)
        _say(message)
        return code


def _explained(error: Exception) -> tuple[int, str]:
    """Exit code and message of an error."""
    from hydra.errors import HydraException
    from omegaconf.errors import (
        InterpolationResolutionError,
        InterpolationToMissingValueError,
        MissingMandatoryValue,
        OmegaConfBaseException,
    )

    if isinstance(error, BrokenPipeError):  # the reader of our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED, "standard output was closed before everything was written"
    if isinstance(error, Seq2SeqError | OSError) and not isinstance(error, HydraException):
        return FAILED, f"error: {error}"
    if isinstance(error, MissingMandatoryValue):
        return USAGE, f"error: {error.full_key}: a value is needed: {error.full_key}=..."
    if isinstance(error, InterpolationToMissingValueError):  # a key takes its value from one that has none
        key = str(error.msg).splitlines()[0].rpartition(": ")[2].strip(".")
        return USAGE, f"error: {key}: a value is needed: {key}=..."
    if isinstance(error, InterpolationResolutionError):
        text = str(error.msg).splitlines()[0] if error.msg else str(error)
        return USAGE, f"error: {error.full_key}: {text.rpartition(': ')[2].strip(chr(34))}"
    if isinstance(error, HydraException | OmegaConfBaseException):
        text = str(error).split("Config search path:")[0].split("See https://hydra.cc")[0].strip()
        return USAGE, f"error: {_nearest(error) or text}"
    kind = type(error).__name__
    return FAILED, f"error: {kind}: {error} (SEQ2SEQ_TRACEBACK=1 shows where; please report it)"


def _nearest(error: Exception) -> str:
    """What a misspelt key could have meant, from the keys of the place where it was looked for."""
    cause = error.__cause__
    parent, key = getattr(cause, "parent_node", None), getattr(cause, "key", None)
    if not isinstance(parent, Mapping) or key is None:
        return ""
    known = [str(one) for one in parent if one != "hydra"]
    return unknown_key(str(getattr(cause, "full_key", key)), known)


def _say(message: str) -> None:
    print(message, file=sys.stderr)
