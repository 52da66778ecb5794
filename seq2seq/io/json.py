"""JSON that somebody else wrote: whatever is wrong with it is a ValueError, also nesting beyond Python's stack."""

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """The content of JSON text. Raises ValueError (which UnicodeDecodeError and json.JSONDecodeError are too)."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
