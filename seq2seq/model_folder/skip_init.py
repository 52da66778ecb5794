"""A network that is built without drawing what a file is about to replace, and never larger than that file."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seq2seq.errors import ConfigError

DRAWN = (nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.normal_, Tensor.uniform_, Tensor.normal_)
IS_META = Tensor.is_meta.__get__  # type: ignore[attr-defined]
MADE = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.eye)
TABLES = 4  # times the file's numbers: of tied tables all but one are made in vain
TENSORS = 16, 1000  # times the file's tensors, and some: a matrix of gates is put together of several


class SkipInit(TorchFunctionMode):
    """Inside, random numbers without a generator are not drawn: such tensors hold what memory held before.

    All others, such as constants that no file keeps, have their values. Drawing is what building a network costs: 180
    ms of 11 million parameters, 6 without. Raises ConfigError where more is made than `weights` could fill, so that
    no file asks for memory or time that its size does not pay for.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        times, some = TENSORS
        self.tensors = times * len(weights) + some
        self.numbers = TABLES * sum(tensor.numel() for tensor in weights.values())

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in DRAWN and kwargs.get("generator") is None:
            return args[0] if args else kwargs["tensor"]
        if func in MADE:
            self._count(args)
            if func is torch.randn and "generator" not in kwargs:
                func = torch.empty
        if func == IS_META:  # which nn.init.orthogonal_ asks, to leave alone what has no numbers
            return True
        return func(*args, **kwargs)

    def _count(self, args: Sequence[Any]) -> None:
        """One more tensor of the size that a factory is asked for."""
        size = args[0] if args and isinstance(args[0], Sequence) else [one for one in args if isinstance(one, int)]
        self.tensors -= 1
        self.numbers -= prod(size)
        if self.tensors < 0 or self.numbers < 0:
            raise ConfigError("asks for more layers, or larger ones, than there are weights")
