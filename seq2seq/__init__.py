"""A recurrent translation toolkit: raw parallel text in, a scored and usable translator out.

import seq2seq

translator = seq2seq.load("runs/ende")
for translation in translator.translate(["Two dogs play."], source="en", target="de"):
    print(translation.text)
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
