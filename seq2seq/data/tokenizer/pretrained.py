"""A tokenizer that a model has already, instead of one that is yet to be trained."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from seq2seq.config.typecheck import place
from seq2seq.data.dataset.cache import cache_entry
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError, DataError, ModelError
from seq2seq.model_folder import folder as model_folder


class PretrainedTokenizer:
    """The tokenizer of `folder`: a run folder, a model folder, or any folder that holds the tokenizer's files."""

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = folder

    def look(self) -> Tokenizer:
        """The tokenizer, without a copy anywhere. Raises as `load` does."""
        return _found(self._place())

    def _place(self) -> Path:
        if self.folder is None:
            raise ConfigError("tokenizer.folder: expected a run folder or a model folder, got null (or set init_from)")
        return place(self.folder)

    def load(self, cache: Path, report: Callable[[str], None]) -> Tokenizer:
        """The tokenizer. Once its folder is gone, a copy in the cache is used, with a report.

        So a run that started with the tokenizer can resume without the folder. Raises ConfigError if no folder is
        named, ModelError if it never had a tokenizer.
        """
        folder = self._place()
        name = f"existing-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]}"
        try:
            tokenizer = _found(folder)
        except ModelError:
            if folder.exists() or not (cache / name).is_dir():
                raise
            report(f"tokenizer.folder: {folder} is gone; the copy in {cache / name} serves")
            return Tokenizer.load(cache / name)
        _keep(tokenizer, cache, name)
        return tokenizer


def _found(folder: Path) -> Tokenizer:
    """In the folder itself, or in the model folder that it is or holds."""
    try:
        return Tokenizer.load(folder)
    except ModelError:
        return Tokenizer.load(model_folder.find(folder))


def _keep(tokenizer: Tokenizer, cache: Path, name: str) -> None:
    """Leave a copy in the cache, in place of an older one; without a word where the cache is to be read only."""
    if (cache / name).is_dir() and Tokenizer.load(cache / name).models != tokenizer.models:
        shutil.rmtree(cache / name, ignore_errors=True)
    with suppress(DataError):
        cache_entry(cache, name, tokenizer.save)
