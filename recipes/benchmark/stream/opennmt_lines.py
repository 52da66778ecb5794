"""Runs in OpenNMT-py's environment, with the options of onmt_translate: every line in, its translation out at once."""

import sys

from onmt.bin.translate import _get_parser
from onmt.inference_engine import InferenceEnginePY
from onmt.utils.parse import ArgumentParser

options = _get_parser().parse_args()
ArgumentParser.validate_translate_opts(options)
ArgumentParser._get_all_transform_translate(options)
ArgumentParser._validate_transforms_opts(options)
ArgumentParser.validate_translate_opts_dynamic(options)
options.output = "/dev/null"
engine = InferenceEnginePY(options)
for line in sys.stdin:
    _, found = engine.infer_list([line.rstrip("\n")])
    print(found[0][0], flush=True)
