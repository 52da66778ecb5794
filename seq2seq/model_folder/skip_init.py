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
TABLES = 4  # times the file's numbers: all but one of tied tables are allocated and dropped
TENSORS = 16, 1000  # times the file's tensors, and some: a matrix of gates is put together of several


class SkipInit(TorchFunctionMode):
    """Inside, random initialisation without a generator is skipped: such tensors are uninitialised.

    All others, such as constants that no file holds, have their values. Building a network of 11 million parameters
    takes 180 ms with initialisation, 6 without. Raises ConfigError if more tensors or numbers are allocated than
    `weights` could fill, so that a small file cannot ask for much memory or time.
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
        if func == IS_META:  # nn.init.orthogonal_ skips meta tensors
            return True
        return func(*args, **kwargs)

    def _count(self, args: Sequence[Any]) -> None:
        """One more tensor of the size that a factory is asked for."""
        size = args[0] if args and isinstance(args[0], Sequence) else [one for one in args if isinstance(one, int)]
        self.tensors -= 1
        self.numbers -= prod(size)
        if self.tensors < 0 or self.numbers < 0:
            raise ConfigError("asks for more layers, or larger ones, than there are weights")
