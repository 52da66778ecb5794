"""Runs in pymarian's environment, with the options of `pymarian decode`: every line in, its translation out at once."""

import sys

from pymarian import Translator

translator = Translator(" ".join(sys.argv[1:]))
for line in sys.stdin:
    print(translator.translate(line.rstrip("\n")), flush=True)
