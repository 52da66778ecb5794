"""Targets of older versions build what they always built."""

import pytest

from seq2seq.config.aliases import MOVED, current_name
from seq2seq.config.build import find_target
from seq2seq.training.run_config import changed_keys


@pytest.mark.parametrize("old", MOVED)
def test_an_old_target_is_found_under_its_new_name(old: str) -> None:
    target = find_target(old, "")
    assert f"{target.__module__}.{target.__name__}" == MOVED[old] == current_name(MOVED[old])


def test_a_users_own_part_keeps_its_name_below_the_package() -> None:
    assert current_name("seq2seq.own.cell.mine.Mine") == "seq2seq.plugins.cell.mine.Mine"
    assert current_name("seq2seq.owner.Mine") == "seq2seq.owner.Mine"


def test_a_run_that_began_under_an_old_name_has_not_changed() -> None:
    old, new = next(iter(MOVED.items()))
    assert changed_keys({"loader": {"_target_": old}}, {"loader": {"_target_": new}}) == {}
