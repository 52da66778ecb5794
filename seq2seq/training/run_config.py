"""The configuration of a run: stored in its folder, and compared when the run resumes."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from seq2seq.config.aliases import current_name, renamed_keys
from seq2seq.errors import TrainingError
from seq2seq.io.atomic import lock, put, storing

# keys that may always change: the budget, and what has no influence on the weights
FREE = (
    "run",
    "license",
    "trainer.updates",
    "trainer.epochs",
    "trainer.hours",
    "trainer.patience",
    "trainer.checkpoint_minutes",
    "trainer.timeout",
    "trainer.allow_changed",
    "translator.batch_tokens",  # batches change no translation
    "translator.max_source_length",  # was 250 in older versions; now learnt from the training text
)
# keys whose value `auto` is decided when a run begins, and then stays as it was decided
DECIDED = ("trainer.metric",)
# nodes that say how a validation comes to its scores; `data.valid` is which text it has
JUDGING = ("validation", "search", "translator", "trainer.metric")
# keys that older versions did not have, and the value that does what those did
ADDED: Mapping[str, object] = {
    "objective._target_": "seq2seq.training.objective.likelihood.Likelihood",
    "trainer.average_of": "best",
    "trainer.log_gradient_noise": False,
    "loader.bpe_dropout": 0.1,  # of tokenizers that could not be sampled then
    "optimizer.groups": [],
    "tokenizer.source_tags": [],
    "tokenizer.canonical": False,
    "freeze": [],
    "init_optimizer": False,
    "search.min_length_ratio": 0.0,
    "search.no_repeat_ngram": 0,
    "objective.search.min_length_ratio": 0.0,
    "objective.search.no_repeat_ngram": 0,
    "search.lookahead": None,
    "objective.search.lookahead": None,
    "objective.search.typical_p": 1.0,
    "objective.search.num_samples": 1,
    "search.typical_p": 1.0,
    "search.num_samples": 1,
    "translator.repair": None,
    "translator.unknown_words": "keep",
    "translator.max_sentences": None,
    "translator.passthrough": None,
    "translator.casing": False,
    "translator.shortlist": True,  # which training has none of
}


def write_configuration(folder: Path, configuration: Mapping[str, object]) -> None:
    """`folder/config.yaml`, for people to read and for the other commands."""
    text = yaml.safe_dump(dict(configuration), sort_keys=False, allow_unicode=True)
    path, temporary = folder / "config.yaml", folder / "config.yaml.writing"
    with storing(path):
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        put(temporary, path)


def check_unchanged(
    before: Mapping[str, object], now: Mapping[str, object], allowed: Collection[str], folder: Path
) -> None:
    """Refuse to go on under another configuration.

    `allowed` names keys, or whole nodes of them, that may differ. Raises TrainingError with all others that do.
    """
    changed = _binding(before, now, allowed)
    if changed:
        lines = "\n".join(f"  {key}: was {old!r}, is {new!r}" for key, (old, new) in changed.items())
        raise TrainingError(
            f"{folder} holds a run of another configuration:\n{lines}\n"
            "Give the old values, choose another run folder, or accept with "
            f"'trainer.allow_changed=[{','.join(changed)}]'."
        )


def judged_otherwise(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Whether the scores of validations under two configurations cannot be compared."""
    return any(_below(key, JUDGING) for key in _binding(before, now, ()))


def _binding(
    before: Mapping[str, object], now: Mapping[str, object], allowed: Collection[str]
) -> dict[str, tuple[object, object]]:
    """The changed keys that may not change without being allowed."""
    return {
        key: values
        for key, values in changed_keys(before, now).items()
        if not (key in DECIDED and values[1] == "auto") and not _below(key, (*FREE, *allowed))
    }


def _below(key: str, nodes: Collection[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in nodes)


def older(folder: Path, node: str) -> dict[str, object]:
    """The keys below `node` that the run of a folder began without, with the values of ADDED; none for a new run."""
    try:
        before = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
        keys = renamed_keys(before)[node].keys()
    except (OSError, KeyError, TypeError, AttributeError, yaml.YAMLError):  # the checkpoints say what is wrong
        return {}
    added = {key.removeprefix(f"{node}."): value for key, value in ADDED.items() if key.startswith(f"{node}.")}
    return {key: value for key, value in added.items() if key not in keys}


def changed_keys(before: Mapping[str, object], now: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Every key whose value differs, with both values."""
    old, new = flat(renamed_keys(before)), flat(now)
    old = {key: value for key, value in ADDED.items() if key in new} | old
    keys = sorted(old.keys() | new.keys())
    return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}


def flat(node: object, where: str = "") -> dict[str, object]:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`; lists are values."""
    if not isinstance(node, Mapping):
        return {where: list(node) if isinstance(node, tuple) else node}
    result: dict[str, object] = {}
    for key, value in node.items():
        if key == "_target_" and isinstance(value, str):
            value = current_name(value)
        result.update(flat(value, f"{where}.{key}" if where else str(key)))
    return result


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Holds the folder; the system lets go of it however the process ends.

    Raises TrainingError when another process holds it, StorageError when it cannot be made or claimed.
    """
    with ExitStack() as stack:
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / ".claim").open("w"))
            try:
                lock(file, wait=False)
            except BlockingIOError as error:
                raise TrainingError(f"{folder}: another process is training there: wait, or stop it first") from error
        yield
