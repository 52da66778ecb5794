"""How much of its budget a run has used up, and why it ends."""

from dataclasses import replace

from seq2seq.errors import TrainingError
from seq2seq.training.settings import Settings
from seq2seq.training.state import State


def epochs(state: State, batches: int) -> float:
    """Passes over the training data so far; the present one has `batches` batches."""
    return state.epoch + state.batch / max(1, batches)


def progress(settings: Settings, state: State, batches: int) -> float:
    """The share of the budget that is used up, 0 to 1; 0 where there is none."""
    used = settings.used(state.update, epochs(state, batches), state.seconds)
    return min(1.0, max(used.values(), default=0.0))


def ending(settings: Settings, state: State, batches: int) -> str | None:
    """Why the run is at its end; None when it is not."""
    used = settings.used(state.update, epochs(state, batches), state.seconds)
    for name, share in used.items():
        if share >= 1:
            return f"trainer.{name}={getattr(settings, name)} is used up"
    if settings.patience is not None and state.waited >= settings.patience:
        return f"no better {settings.metric} in trainer.patience={settings.patience} validations"
    return None


def extended(settings: Settings, state: State) -> Settings:
    """With `trainer.updates=+5000` as a number: so many more than a finished run has made.

    Killed and called again, the run goes on to the same number, which the state remembers. Raises TrainingError for a
    run that is not finished, where nobody can tell what the updates should be added to.
    """
    if not isinstance(settings.updates, str):
        return settings
    if state.finished or not state.update:
        state.extension, state.limit = settings.updates, state.update + int(settings.updates)
    elif state.extension != settings.updates:
        raise TrainingError(
            f"trainer.updates={settings.updates} extends a finished run, and this one is not, after update "
            f"{state.update:,}: give the number at which it is to end"
        )
    return replace(settings, updates=state.limit)
