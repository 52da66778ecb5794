"""Through `seq2seq.load`: every line in, its translation out at once. `python seq2seq_lines.py MODEL BEAM PRECISION`"""

import sys

import torch
import yaml

import seq2seq
from seq2seq.config.build import build, configuration_folder

torch.set_num_threads(1)
folder, beam, number_format = sys.argv[1:]
node = yaml.safe_load((configuration_folder() / "search" / ("greedy.yaml" if beam == "1" else "beam.yaml")).read_text())
search = build({**node, "beam_size": int(beam)} if "beam_size" in node else node, where="search")
translator = seq2seq.load(folder, search, number_format)
for line in sys.stdin:
    (translation,) = translator.translate([line.rstrip("\n")], source="en", target="de")
    print(translation.text, flush=True)
