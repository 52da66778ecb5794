"""Keys with a new name: refused under the old one with the new one; what older versions stored is read as before."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from seq2seq.cli.app import _explained
from seq2seq.config.aliases import RENAMED, renamed, renamed_keys
from seq2seq.config.build import configuration_folder

TEXT = ("corpus=files", "corpus.path=nowhere", "corpus.directions=[en-de]")
COMMANDS = (  # which have all keys between them
    ("translate", "model=x"),
    ("translate", "model=x", "search=diverse"),
    ("translate", "model=x", "search=sampling"),
    ("translate", "model=x", "search=mbr"),
    ("translate", "model=x", "search=mbr", "search/candidates=diverse"),
    ("score", "model=x"),
    ("sample", "model=x"),
    ("label", "model=x"),
    ("generate", "model=x"),
    ("shortlist", "model=x"),
    ("analyse_curves", "run=x"),
    ("doctor", *TEXT),
    ("train", *TEXT, "objective=minimum_risk", "augmentation=[upper,title]"),
    ("train", *TEXT, "augmentation=robust"),
    ("train", *TEXT),
    ("train_language_model", "corpus=files", "corpus.path=nowhere", "languages=[en]", "reading=lines"),
    ("train_language_model", "corpus=files", "corpus.path=nowhere", "languages=[en]", "reading=stream"),
)


@functools.cache
def keys(command: str, *overrides: str) -> set[str]:
    with initialize_config_dir(str(configuration_folder().absolute()), version_base="1.3"):
        return set(paths(OmegaConf.to_container(compose(command, list(overrides)))))


def paths(node: Any, where: str = "") -> Iterator[str]:
    """Of all keys, those of nodes too."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield f"{where}{key}"
            yield from paths(value, f"{where}{key}.")


def places(new: str) -> list[tuple[tuple[str, ...], str]]:
    """Command lines that have a key, and its full name there."""
    return [
        (command, key)
        for command in COMMANDS
        for key in keys(*command)
        if key == new or ("." in new and key.endswith(f".{new}"))
    ]


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_key_is_refused_with_the_new_one(old: str, new: str) -> None:
    assert old.rpartition(".")[0] == new.rpartition(".")[0], "only the last word changes"
    found = places(new)
    assert found, f"no command has {new}"
    (command, *overrides), key = found[0]
    given = ".".join([*key.split(".")[:-1], old.rpartition(".")[2]])
    assert given not in keys(command, *overrides) and renamed(given) == key == renamed(key)
    with (
        initialize_config_dir(str(configuration_folder().absolute()), version_base="1.3"),
        pytest.raises(ConfigCompositionException) as refused,
    ):
        compose(command, [*overrides, f"{given}=1"])
    assert _explained(refused.value) == (2, f"error: {given} was renamed to {key}")


def test_a_stored_configuration_gets_the_names_of_this_version() -> None:
    stored = {
        "trainer": {"_target_": "seq2seq.training.settings.Settings", "clip": 1.0, "average_of": "best"},
        "objective": {"search": {"best": 3, "width": 5}},
        "translator": {"untranslated": {"letterless": "copy"}, "unknown": "keep"},
        "schedule": {"_target_": "seq2seq.plugins.schedule.Mine", "clip": 2},
        "loader": {"_target_": "seq2seq.own.loader.Mine", "tokens": 2},
    }
    assert renamed_keys(stored) == {
        "trainer": {"_target_": "seq2seq.training.settings.Settings", "clip_norm": 1.0, "average_of": "best"},
        "objective": {"search": {"n_best": 3, "beam_size": 5}},
        "translator": {"passthrough": {"non_alphabetic": "copy"}, "unknown_words": "keep"},
        "schedule": stored["schedule"],
        "loader": stored["loader"],
    }
