"""One run folder, one process: the same command given twice must not train twice into the same files."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seq2seq.errors import TrainingError
from seq2seq.io.atomic import storing
from seq2seq.io.file_lock import lock


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
