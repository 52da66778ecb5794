"""The test run checks annotations, each call on its own."""

from collections.abc import Callable

import pytest
import torch
from annotations import EVERY, FIRST, begin_test, jaxtyped, thorough
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from seq2seq.network.layers import mask_like, tanh

Decorator = Callable[..., Callable[[Callable[..., object]], Callable[..., object]]]
REFUSED = (BeartypeCallHintViolation, TypeCheckError)


def doubled(x: Float[Tensor, "batch time"], times: int = 2) -> Float[Tensor, "time batch"]:
    return x.T * times if times else x


def joined(rows: list[Float[Tensor, "batch 1"]], last: Float[Tensor, "batch time"] | None = None) -> Tensor:
    return torch.cat([*rows, *([] if last is None else [last])], 1)


def named(name: str) -> list[str]:
    return [name] if name else name  # type: ignore[return-value]


def later(x: "Float[Tensor, 'batch']", given: "Unknown") -> Tensor:  # type: ignore[name-defined]
    return x


@pytest.mark.parametrize("decorator", [jaxtyped, thorough])
def test_what_jaxtyping_refuses_is_refused(decorator: Decorator) -> None:
    checked = [decorator(typechecker=beartype)(one) for one in (doubled, joined, named, later)]
    x = torch.zeros(2, 3)
    assert checked[0](x) is not None and checked[0](torch.zeros(5, 1)) is not None  # axes are a call's own
    assert checked[1]([x[:, :1]], x) is not None and checked[2]("a") == ["a"]
    assert checked[3](x[0], None) is not None  # of names that exist for mypy alone nothing is known
    for function, given in (
        (checked[0], (x.int(),)),
        (checked[0], (x[0],)),
        (checked[0], (x, "2")),
        (checked[0], (x, 0)),  # the result has its axes the other way
        (checked[1], ([x[:, :1]], x[:1])),  # another batch
        (checked[1], ([x], None)),
        (checked[2], (1,)),
        (checked[3], (x, None)),
        (checked[2], ("",)),
    ):
        with pytest.raises(REFUSED):
            function(*given)


def test_the_first_calls_of_every_test_are_checked_and_some_of_the_others() -> None:
    call, x = jaxtyped(typechecker=beartype)(doubled), torch.zeros(2, 3)
    for _ in range(FIRST - 1):
        call(x)
    with pytest.raises(REFUSED):
        call(x, 0)
    noticed = 0
    for _ in range(2 * EVERY):
        try:
            call(x, 0)
        except REFUSED:
            noticed += 1
    assert noticed == 2
    begin_test()
    with pytest.raises(REFUSED):
        call(x, 0)


def test_this_run_is_checked() -> None:
    for call in (lambda: tanh(torch.zeros(2).int()), lambda: mask_like((2,), "half", torch.zeros(2))):
        with pytest.raises(REFUSED):
            call()
