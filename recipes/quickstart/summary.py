"""Says how many held-out lines came out exactly right: `python summary.py results.json`."""

import json
import sys
from pathlib import Path


def main(path: Path) -> None:
    """Every direction has the same lines, so the mean over the directions is the share of all lines."""
    shares = {name: one["exact"] for name, one in json.loads(path.read_text(encoding="utf-8"))["test"].items()}
    lowest = min(shares, key=lambda name: shares[name])
    mean = sum(shares.values()) / len(shares)
    print(f"exactly right: {mean:.1f} % over {len(shares)} directions (lowest: {lowest} {shares[lowest]:.1f} %)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
