"""The numpy arrays that pass between the parts of the data package, by name."""

from typing import Any

import numpy as np

Integers = np.ndarray[Any, np.dtype[np.int64]]  # rows of a store, lengths, positions
Pieces = np.ndarray[Any, np.dtype[np.integer[Any]]]  # a line's ids, as wide as the vocabulary needs
Reals = np.ndarray[Any, np.dtype[np.float64]]  # random numbers, log-probabilities
