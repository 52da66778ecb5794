"""Learning rate schedules: shares of the peak that warm up, then never rise by themselves."""

from itertools import pairwise

import pytest
import yaml  # type: ignore[import-untyped]
from apart import ROOT

from seq2seq.config.build import build
from seq2seq.errors import ConfigError
from seq2seq.training.schedule.base import Schedule
from seq2seq.training.schedule.cosine import Cosine
from seq2seq.training.schedule.inverse_sqrt import InverseSqrt
from seq2seq.training.schedule.linear import Linear
from seq2seq.training.schedule.plateau import Plateau

FOLDER = ROOT / "conf" / "schedule"
TOTAL = 20000


@pytest.fixture(params=sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def schedule(request: pytest.FixtureRequest) -> Schedule:
    built: Schedule = build(yaml.safe_load(request.param.read_text("utf-8")))
    return built


def test_rises_to_its_warm_up_and_falls_after_it(schedule: Schedule) -> None:
    shares = [schedule.share(update, (update - 1) / TOTAL, schedule.start()) for update in range(1, TOTAL + 1)]
    top = schedule.warmup
    assert all(0 < share <= 1 for share in shares)
    assert shares[0] < 0.01 and max(shares) > 0.9
    assert all(after >= before for before, after in pairwise(shares[: top // 2]))
    assert all(after <= before for before, after in pairwise(shares[top:]))


def test_only_members_that_say_so_follow_the_budget(schedule: Schedule) -> None:
    shares = {schedule.share(2000, progress, schedule.start()) for progress in (0.1, 0.5, 0.9)}
    assert (len(shares) == 3) == schedule.needs_budget


def test_without_warm_up_it_begins_at_the_peak() -> None:
    for schedule in (InverseSqrt(0), Cosine(0, 0.1), Linear(0, 0.1), Plateau(0, 0.5, 1, 0.1)):
        assert schedule.share(1, 0.0, schedule.start()) == 1


@pytest.mark.parametrize("member", [Cosine, Linear])
def test_ends_at_its_floor(member: type[Cosine] | type[Linear]) -> None:
    assert member(10, 0.25).share(100, 1.0, {}) == pytest.approx(0.25)


def test_plateau_falls_once_per_patience_and_never_under_its_floor() -> None:
    schedule = Plateau(warmup=0, factor=0.5, patience=2, min_lr_ratio=0.2)
    state, shares = schedule.start(), []
    for better in (True, True, False, True, *(False,) * 6):
        state = schedule.observe(better, state)
        shares.append(schedule.share(9, 0.0, state))
    assert shares == [1, 1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2]


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: InverseSqrt(-1), "warmup"),
        (lambda: Cosine(1, 1.5), "min_lr_ratio"),
        (lambda: Linear(1, -0.1), "min_lr_ratio"),
        (lambda: Plateau(1, 1.0, 1, 0.0), "factor"),
        (lambda: Plateau(1, 0.5, 0, 0.0), "patience"),
    ],
)
def test_impossible_numbers_are_refused_by_name(make: object, key: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match=rf"schedule\.{key}"):
        make()
