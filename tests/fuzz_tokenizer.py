"""Reads edited tokenizer models in one process: prints how many were refused and how many were read.

    python fuzz_tokenizer.py MODEL FIRST COUNT

What crashes ends this process by a signal, which whoever started it sees.
"""

import random
import sys
from pathlib import Path

from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import Seq2SeqError

TEXTS = ["the dog sees the house.", "ﬁ ½ é é ＡＢＣ \u3000 猫\U0001f600", "", "a" * 500]


def edited(model: bytes, number: int) -> bytes:
    """A model with some of its bytes changed, cut out, doubled or put elsewhere."""
    draw = random.Random(number)
    content = bytearray(model)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        place = draw.randrange(len(content))
        size = draw.choice((1, 1, 2, 4, 64))
        kind = draw.randrange(5)
        if kind == 0:
            content[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            content[place : place + size] = draw.randbytes(size)
        elif kind == 2:
            del content[place : place + size]
        elif kind == 3:
            content[place:place] = content[place : place + size]
        else:
            content[place : place + size] = bytes([draw.choice((0, 127, 128, 255))]) * size
        content = content or bytearray(b"\0")
    return bytes(content)


def main(path: str, first: int, count: int) -> None:
    """Reads and uses so many edited models."""
    model = Path(path).read_bytes()
    refused = 0
    for number in range(first, first + count):
        print(number, end=" ", flush=True)
        try:
            tokenizer = Tokenizer([edited(model, number)], threads=1)
            for language in tokenizer.languages[:1]:
                ids = tokenizer.encode(TEXTS, language, "source")
                tokenizer.decode(ids, language)
        except (Seq2SeqError, RuntimeError, UnicodeDecodeError, IndexError):
            refused += 1
    print(f"\nread {count - refused}, refused {refused}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
