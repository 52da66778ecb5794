"""Paths such as /dev/stdout, which name streams that are open already."""

import re
from pathlib import Path

DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


def descriptor(path: Path) -> int | None:
    """The number that a path such as /dev/stdout stands for."""
    if str(path) in STANDARD:
        return STANDARD[str(path)]
    match = DESCRIPTOR.fullmatch(str(path))
    return int(match[1]) if match else None
