"""A run resumes with the data it began with: text, tokenizer and prepared pairs are compared by their content."""

import shlex
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.config.aliases import current_name
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.dataset.cache import Fingerprint, SplitContent, split_content
from seq2seq.errors import TrainingError
from seq2seq.training.checkpoint import Checkpoints

OWN = "own"  # the source of a user's own parts: {"seq2seq.plugins.cell.mine": its SHA-256}
ROLES = ("train", "valid")
DATA = "data"  # what a checkpoint calls its fingerprint; trainer.allow_changed=[data] accepts any other one
MAKE_PAIRS = ("corpus", "cleaning", "tokenizer", "prepare")  # nodes of the configuration
Read = Callable[[str], SplitContent]


class Difference(NamedTuple):
    """What differs: its key for trainer.allow_changed, and how, in words."""

    key: str
    how: str


def check_text(corpus: Corpus, folder: Path, allowed: Collection[str]) -> dict[str, str]:
    """Refuse to go on with a run in `folder` where its text has changed, before anything is made of the new text.

    Returns the corpus's fingerprints of the splits that were looked at. Raises TrainingError.
    """
    files, result = text_differences(corpus, folder)
    _refuse(result, allowed, folder)
    return files


def text_differences(corpus: Corpus, folder: Path) -> tuple[dict[str, str], list[Difference]]:
    """The corpus's fingerprints of the splits that a run in `folder` was trained on, and how their text differs.

    Where a fingerprint differs the split is read, because a file that was compressed holds the text that it held.
    """
    contents = Checkpoints(folder / "checkpoints").contents()
    before: Fingerprint | None = contents[0].get(DATA) if contents else None
    files: dict[str, str] = {}
    result: list[Difference] = []
    for role in ROLES if before else ():
        splits: list[str] = getattr(corpus, role)
        files |= {split: corpus.fingerprint(split) for split in splits}
        old = before[role]  # type: ignore[index]
        changed = [split for split in splits if old.get(split, {}).get("files") != files[split]]
        now = {split: split_content(corpus, split)._asdict() if split in changed else old[split] for split in splits}
        result += _splits(role, old, now)
    return files, result


def check_data(
    before: Fingerprint, now: Fingerprint, allowed: Collection[str], folder: Path, made_otherwise: bool
) -> None:
    """Refuses to resume with other data than those of the checkpoint.

    `made_otherwise`: another way of making pairs was configured and accepted. Raises TrainingError with all differences
    and what to do.
    """
    _refuse(differences(before, now, made_otherwise), allowed, folder)


def differences(before: Fingerprint, now: Fingerprint, made_otherwise: bool) -> list[Difference]:
    """The differences in content, without those that follow from another one."""
    result = [one for role in ROLES for one in _splits(role, before.get(role, {}), now.get(role, {}))]
    if before.get("tokenizer") != now.get("tokenizer"):
        result.append(
            Difference(f"{DATA}.tokenizer", "another tokenizer: the rows of the weights would mean other pieces")
        )
    code = now.get(OWN, {})
    known = {current_name(name): source for name, source in before.get(OWN, {}).items()}
    for module in [name for name, source in known.items() if code.get(name) != source]:
        result.append(Difference(f"{DATA}.{OWN}", f"the code of {module} is another one"))
    if not result and not made_otherwise and before.get("prepared") != now.get("prepared"):
        old, new = (one.get("prepared", {}).get("pairs", 0) for one in (before, now))
        kept = (
            "the same number of pairs is kept, with other pieces"
            if old == new
            else f"{new:,} pairs kept, {old:,} before"
        )
        result.append(Difference(f"{DATA}.prepared", f"the same text is prepared in another way: {kept}"))
    return result


def _splits(role: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """The splits of one role that differ."""
    result = []
    for split in dict.fromkeys((*before, *now)):
        old, new = before.get(split), now.get(split)
        if old is None or new is None:
            how = f"was {'no' if old is None else 'a'} split of corpus.{role}, is {'none' if new is None else 'one'}"
        elif old["text"] == new["text"]:
            continue
        elif old["pairs"] == new["pairs"]:
            how = f"has {new['pairs']:,} pairs as before, with other text"
        else:
            how = f"had {old['pairs']:,} pairs, has {new['pairs']:,}"
        result.append(Difference(f"{DATA}.{role}", f"{split} {how}"))
    return result


def _refuse(differences: list[Difference], allowed: Collection[str], folder: Path) -> None:
    """Raises TrainingError with what differs and is not allowed."""
    refused = [one for one in differences if DATA not in allowed and one.key not in allowed]
    if refused:
        lines = "\n".join(f"  {one.key}: {one.how}" for one in refused)
        advice = "\n".join(f"- {one}" for one in _advice(list(dict.fromkeys(one.key for one in refused)), folder))
        raise TrainingError(f"{folder} holds a run of other data:\n{lines}\nDo one of these:\n{advice}")


def _advice(keys: list[str], folder: Path) -> list[str]:
    """What can be done about differences of these keys."""
    if keys == [f"{DATA}.prepared"]:
        first = "go on with the version of the toolkit, and of its libraries, that began the run"
    elif keys == [f"{DATA}.tokenizer"]:
        first = "give the old tokenizer back, or the text that it was trained on"
    elif keys == [f"{DATA}.{OWN}"]:
        first = "give the old code back"
    else:
        first = "give the old text back"
    advice = [
        first,
        f"begin another run with these weights: run=NEW_FOLDER init_from={folder}",
        f"accept it: 'trainer.allow_changed=[{','.join(keys)}]'",
    ]
    if {f"{DATA}.train", f"{DATA}.tokenizer"} & set(keys):  # a tokenizer that the text made is another one now
        allowed = ",".join([*(key for key in keys if key != f"{DATA}.tokenizer"), "tokenizer"])
        keep = ["tokenizer=existing", f"tokenizer.folder={folder}", f"trainer.allow_changed=[{allowed}]"]
        advice[-1] = f"accept it with the tokenizer that the weights know: {_command(keep)}"
    return advice


def _command(given: list[str]) -> str:
    """This process's command line with this tokenizer and trainer.allow_changed, to be pasted; without one, these."""
    program, *words = sys.argv or [""]
    if not program.startswith("seq2seq "):
        return shlex.join(given)
    keys = [word.lstrip("+").partition("=")[0] for word in words]
    replaced = ("tokenizer", "trainer.allow_changed", "hydra.sweep.dir")
    kept = [
        word for key, word in zip(keys, words, strict=True) if key.split(".")[0] != "tokenizer" and key not in replaced
    ]
    return f"{program} {shlex.join([*kept, *given])}"
