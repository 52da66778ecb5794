"""Matrices in the layout and number format that a CPU multiplies fastest, packed once instead of at every product."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.model_folder.weights import LARGEST, quantise
from seq2seq.network.layers import Embedding

FEW = 64  # rows whose product is cheap, and whose kernels are not
ZERO_POINT = 128  # the zero point of unsigned bytes: oneDNN multiplies unsigned rows by signed matrices
LSTM = 2  # among the recurrent kernels, as torch numbers them


@runtime_checkable
class Product(Protocol):
    """x W^T + b with padded rows, see `rounded`."""

    def __call__(self, rows: Float[Tensor, "rows in"], bias: Tensor | None) -> Float[Tensor, "rounded out"]: ...


Made = TypeVar("Made", bound=Product)


class Packed(Tensor):
    """A matrix that F.linear multiplies by its `product`; everywhere else it is an ordinary tensor.

    The two matrices of torch.lstm are laid out for its kernel once: `layouts` of the second one, by number format.
    """

    product: Product
    layouts: dict[torch.dtype, tuple[Tensor, Tensor]]

    @staticmethod
    def of(weight: Float[Tensor, "out in"], product: Product) -> "Packed":
        """The same numbers in the same memory."""
        packed: Packed = Tensor._make_subclass(Packed, weight.detach())
        packed.product, packed.layouts = product, {}
        return packed

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if func is F.linear:
            x, weight, bias = _linear_arguments(*args, **given)
            if isinstance(weight, Packed):
                result = weight.product(x.reshape(-1, x.shape[-1]), bias)
                return result[: x.numel() // x.shape[-1]].view(*x.shape[:-1], result.shape[-1])
        with torch._C.DisableTorchFunctionSubclass():
            if func is torch.lstm and _suits_kernel(*args, **given):
                return _lstm(*args[:3])
            return func(*args, **given)


def _linear_arguments(input: Tensor, weight: Any, bias: Tensor | None = None) -> tuple[Tensor, Any, Tensor | None]:
    """What F.linear was called with, by position or by name."""
    return input, weight, bias


def _suits_kernel(*args: Any, **given: Any) -> bool:
    """Whether a call of torch.lstm is one layer in one direction, batch first, with packed matrices and both biases.

    Everything else that torch.lstm can do, and calls by name, are left to torch.
    """
    if given or len(args) != 9 or isinstance(args[1], Tensor):  # a Tensor: the sizes of a packed sequence
        return False
    x, _, weights, has_biases, layers, _, _, bidirectional, batch_first = args
    alone = layers == 1 and not bidirectional
    matrices = len(weights) == 4 and all(isinstance(one, Packed) for one in weights[:2])
    return alone and matrices and bool(has_biases and batch_first) and x.ndim == 3


def _lstm(x: Tensor, initial: Sequence[Tensor], weights: Sequence[Any]) -> tuple[Tensor, Tensor, Tensor]:
    weight, recurrent, *biases = weights
    dtype = autocast_dtype()
    if dtype not in recurrent.layouts:
        recurrent.layouts[dtype] = laid_out(weight, recurrent, dtype)
    return lstm(x, initial, recurrent.layouts[dtype], biases, dtype)


def autocast_dtype() -> torch.dtype:
    """What a CPU multiplies in, here and now."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


def rounded(rows: int) -> int:
    """The next number with four leading binary digits, or three where there are few rows: 9 becomes 10, 300 320.

    oneDNN makes a kernel for every number of rows that it meets, which takes as long as 100 rows; in search, whose
    sentences leave one by one, nearly every product would be the first of its kind.
    """
    unit = 1 << max(0, rows.bit_length() - (3 if rows < FEW else 4))
    return -(-rows // unit) * unit


def _filled(rows: Shaped[Tensor, "rows in"], dtype: torch.dtype) -> Shaped[Tensor, "rounded in"]:
    """In this number format, with rows of zeros appended."""
    count = rounded(len(rows))
    if count == len(rows):
        return rows.to(dtype)
    filled = rows.new_empty(count, rows.shape[1], dtype=dtype)
    filled[: len(rows)].copy_(rows)
    filled[len(rows) :].zero_()
    return filled


class Float32:
    """In fp32 by oneDNN, from a third to a half faster than torch's own product, and than packing at every call."""

    def __init__(self, weight: Float[Tensor, "out in"]) -> None:
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)

    def __call__(self, rows: Float[Tensor, "rows in"], bias: Tensor | None) -> Float[Tensor, "rounded out"]:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(
            _filled(rows, torch.float32), self.packed, bias, "none", [], ""
        )
        return result


class BFloat16:
    """In bf16 with sums in fp32; the result is bf16."""

    def __init__(self, weight: Float[Tensor, "out in"]) -> None:
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().bfloat16(), None)
        self.biases: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, rows: Float[Tensor, "rows in"], bias: Tensor | None) -> Float[Tensor, "rounded out"]:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(
            _filled(rows, torch.bfloat16), self.packed, None if bias is None else self._cast(bias), "none", [], ""
        )
        return result

    def _cast(self, bias: Tensor) -> Tensor:
        if not isinstance(bias, nn.Parameter):  # made for this product only: keeping it would fill the memory
            return bias.bfloat16()
        if id(bias) not in self.biases:
            self.biases[id(bias)] = bias, bias.detach().bfloat16()  # kept so that no other object gets its id
        return self.biases[id(bias)][1]


class Int8:
    """In integers: each row of W has a scale, all of x share one, so that a row's result depends on that row only.

    The scale of x is set by `freeze_scale` from the largest number so far; before that, products are in fp32. Larger
    numbers are clamped afterwards.
    """

    def __init__(self, weight: Float[Tensor, "out in"]) -> None:
        self.weight = weight
        values, self.scales = quantise(weight.detach())
        self.packed = torch.ops.onednn.qlinear_prepack(values, None)
        self.zeros = torch.zeros(len(values), dtype=torch.long)
        self.middle = torch.tensor([ZERO_POINT + 0.5])  # conversion to a byte cuts: a half makes it round
        self.seen = 0.0
        self.step = 0.0

    def freeze_scale(self) -> None:
        """From now on in whole numbers."""
        self.step = (self.seen or 1.0) / LARGEST

    def __call__(self, rows: Float[Tensor, "rows in"], bias: Tensor | None) -> Float[Tensor, "rounded out"]:
        if not self.step:
            self.seen = max(self.seen, float(rows.abs().max()))
            with torch._C.DisableTorchFunctionSubclass():
                return F.linear(rows, self.weight, bias)
        levels = torch.add(self.middle, rows.float(), alpha=1 / self.step).clamp_(0, 2 * ZERO_POINT - 1)
        whole = _filled(levels.to(torch.int16), torch.uint8)  # torch takes four times as long for it in one conversion
        dtype = autocast_dtype()
        result: Tensor = torch.ops.onednn.qlinear_pointwise(
            whole, self.step, ZERO_POINT, self.packed, self.scales, self.zeros, bias, 1.0, 0, dtype, "none", [], ""
        )
        return result


def pack(network: nn.Module, product: Callable[[Tensor], Made]) -> list[Made]:
    """Replaces every matrix of `network` but embeddings by a packed one; returns the products, one a matrix.

    The network can no longer be trained or saved. Tables that are also an output layer stay what they are as tables.
    """
    packed: list[Made] = []
    for module in network.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            if weight.ndim == 2 and not isinstance(module, Embedding):
                packed.append(product(weight))
                delattr(module, name)
                setattr(module, name, Packed.of(weight, packed[-1]))
    return packed


def laid_out(
    weight: Float[Tensor, "gates input"], recurrent: Float[Tensor, "gates hidden"], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Both matrices in the layout of the kernel."""
    given = weight.to(dtype), recurrent.to(dtype), recurrent.shape[1]
    first, second = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight(*given, False, True, True, None)
    return first, second


def lstm(
    x: Float[Tensor, "batch time input"],
    initial: Sequence[Float[Tensor, "1 batch hidden"]],
    matrices: tuple[Tensor, Tensor],
    biases: Sequence[Float[Tensor, " gates"]],
    dtype: torch.dtype,
) -> tuple[Float[Tensor, "batch time hidden"], Float[Tensor, "1 batch hidden"], Float[Tensor, "1 batch hidden"]]:
    """One layer of torch.lstm in `dtype`; `matrices` are `laid_out`."""
    # without copies the kernel reads on as if there were no gaps
    hidden, cell = (one.to(dtype).contiguous() for one in initial)
    steps = x.to(dtype).transpose(0, 1).contiguous()
    outputs, hidden, cell, _ = torch.ops.aten.mkldnn_rnn_layer(
        steps, *matrices, *biases, hidden, cell, False, [], LSTM, hidden.shape[2], 1, True, False, False, False
    )
    return outputs.transpose(0, 1), hidden, cell
