"""The model card: the content of config.json as Markdown for people and model hubs.

It depends on config.json only.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")  # what hubs take for a language
TASKS = {  # by kind: what the card calls it, the hubs' name of its task, and the commands that use it
    "translator": ("translator", "translation", "translate model=FOLDER source={0} target={1} input=in.txt"),
    "language_model": ("language model", "text-generation", "score model=FOLDER input=in.txt"),
    "classifier": ("classifier of lines", "text-classification", "label model=FOLDER input=in.txt"),
    "tagger": ("tagger of tokens", "token-classification", "label model=FOLDER input=in.txt"),
    "generator": ("generator of lines", "text-generation", "generate model=FOLDER input=in.txt"),
}
LIMITS = {
    "translator": "A translation can leave out, add or change what the source says, and does not show where.",
    "language_model": "A score says how usual a line is in text like its training text, not whether it is true.",
    "classifier": "Every line gets one of the labels of the training text, also where none fits.",
    "tagger": "Every token gets one of the labels of the training text, also where none fits.",
    "generator": "A line that it generates can be wrong; nothing checks it against what was asked for.",
}
NUMBERS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER", "exact": "exact %"}
PRECISIONS = {
    "fp32": "fp32",
    "bf16": "bf16 (matrices; the rest fp32)",
    "int8": "int8 (matrices, with an fp32 scale a row; the rest fp32)",
}


def card(config: Mapping[str, Any]) -> str:
    """The whole file, front matter first."""
    sections = [_heading(config), _facts(config), _usage(config), _data(config), _scores(config), _limits(config)]
    return "\n".join([*_front(config), *(line for section in sections for line in section)]) + "\n"


def _front(config: Mapping[str, Any]) -> Iterator[str]:
    """What hubs read: YAML between two lines of dashes; texts in quotes, for `no` is Norwegian."""
    kind = str(config.get("kind"))
    yield "---"
    if codes := [one for one in _texts(config, "languages") if CODE.fullmatch(one)]:
        yield from ("language:", *(f"- {json.dumps(one)}" for one in codes))
    if isinstance(license := config.get("license"), str):
        yield f"license: {json.dumps(license)}"
    yield "library_name: seq2seq"
    if kind in TASKS:
        yield f"pipeline_tag: {TASKS[kind][1]}"
    yield from ("tags:", "- recurrent", f"- {json.dumps(kind)}")
    if metrics := [name for name in ("bleu", "chrf", "ter", "accuracy", "perplexity") if name in _measured(config)]:
        yield from ("metrics:", *(f"- {name}" for name in metrics))
    yield from ("---", "")


def _heading(config: Mapping[str, Any]) -> Iterator[str]:
    kind = str(config.get("kind"))
    name = TASKS[kind][0] if kind in TASKS else kind
    known = _directions(config) or _texts(config, "languages")
    yield f"# A {name}: {', '.join(known)}" if known else f"# A {name}"
    yield ""


def _facts(config: Mapping[str, Any]) -> Iterator[str]:
    """The table of what it is."""
    rows = {
        "license": config.get("license") or "not stated",
        "network": "; ".join(_network(config)),
        "parameters": _number(config.get("parameters")),
        "weights": _weights(config),
        "tokenizer": _tokenizer(_table(config, "tokenizer")),
        "training": _training(_table(config, "training")),
        "toolkit": f"seq2seq {config.get('toolkit')}",
    }
    yield from ("| | |", "|---|---|")
    yield from (f"| {name} | {_cell(value)} |" for name, value in rows.items() if value)
    yield ""


def _usage(config: Mapping[str, Any]) -> Iterator[str]:
    kind = str(config.get("kind"))
    if kind not in TASKS:
        return
    source, target = (_pairs(config) or [("SOURCE", "TARGET")])[0]
    yield from ("## Use", "", "`FOLDER` is the folder that this file lies in.", "")
    yield from ("```sh", f"seq2seq {TASKS[kind][2].format(source, target)}", "```", "")
    if kind == "translator":
        yield from ("```python", "import seq2seq", "")
        call = f'translate(["A line."], source={json.dumps(source)}, target={json.dumps(target)})'
        yield from (f'for one in seq2seq.load("FOLDER").{call}:', "    print(one.text)", "```", "")


def _data(config: Mapping[str, Any]) -> Iterator[str]:
    """The training data: names, numbers and hashes that identify it."""
    data = _table(config, "data")
    if not data:
        return
    what = "pairs" if config.get("kind") == "translator" else "lines"
    yield from ("## Data", "", f"| text | used for | {what} | SHA-256 |", "|---|---|---:|---|")
    for name, one in _tables(data, "splits"):
        yield f"| {_cell(name)} | {one.get('use')} | {_number(one.get('pairs'))} | `{one.get('sha256')}` |"
    yield ""
    if isinstance(kept := data.get("kept"), int) and isinstance(total := data.get("pairs"), int):
        yield from (f"Cleaning kept {kept:,} of {total:,} training {what}.", "")


def _scores(config: Mapping[str, Any]) -> Iterator[str]:
    """Validation's numbers, a table of the tests, and the signatures of both."""
    scores = _table(config, "scores")
    if not scores:
        return
    yield from ("## Scores", "")
    valid = {name: one for name, one in _table(scores, "valid").items() if isinstance(one, int | float)}
    if valid:
        listed = ", ".join(f"{NUMBERS.get(name, name.replace('_', ' '))} {one:.2f}" for name, one in valid.items())
        yield from (f"Held-out text, while training (fp32): {listed}.", "")
    tests = [(split, name, one) for split, rows in _tables(scores) for name, one in _tables(rows)]
    if tests:
        yield f"| test set | direction | search | weights | {' | '.join(NUMBERS.values())} |"
        yield f"|---|---|---|---|{'---:|' * len(NUMBERS)}"
        yield from (_row(split, name, one) for split, name, one in tests)
        yield ""
    signed = [_table(_table(config, "training"), "signatures"), *(_table(one, "signature") for *_, one in tests)]
    lines = dict.fromkeys(f"- {NUMBERS.get(name, name)}: `{text}`" for one in signed for name, text in one.items())
    yield from (*lines, *([""] if lines else []))


def _row(split: str, direction: str, scores: Mapping[str, Any]) -> str:
    """Of the table of tests."""
    numbers = [f"{scores[key]:.1f}" if isinstance(scores.get(key), int | float) else "" for key in NUMBERS]
    search = _table(scores, "search")
    name = str(search.get("_target_", "")).rpartition(".")[2].lower()
    size = search.get("beam_size", search.get("width"))  # width: in evaluations of older versions
    searched = name if size is None else f"{name} {size}"
    return f"| {' | '.join(map(_cell, (split, direction, searched, scores.get('weights', ''), *numbers)))} |"


def _limits(config: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Limits", "")
    yield "- It knows what its training text shows: expect less on other subjects, spellings and lengths of lines."
    yield from ([f"- {LIMITS[kind]}"] if (kind := str(config.get("kind"))) in LIMITS else [])
    yield "- Scores hold for the texts they were measured on. Nobody examined it for bias."


def _network(config: Mapping[str, Any]) -> Iterator[str]:
    """`encoder: 2 layers of LSTM`, `width 256`."""
    node = _table(config, "model")
    for name, part in [("", node), *_tables(node)]:
        if cell := _table(part, "cell").get("_target_"):
            layers = part.get("layers", 1)
            before = f"{name}: " if name else ""
            attention = str(_table(part, "attention").get("_target_", "")).rpartition(".")[2]
            after = f" with {attention} attention" if attention else ""
            yield f"{before}{layers} layer{'s' if layers != 1 else ''} of {str(cell).rpartition('.')[2]}{after}"
    yield from (f"{name} {node[name]}" for name in ("width", "embedding") if name in node)


def _weights(config: Mapping[str, Any]) -> str:
    """`int8 (matrices, ...), 11.58 MB, exported from fp32`."""
    precision = str(config.get("precision", "fp32"))
    size = [f"{config['bytes'] / 1e6:,.2f} MB"] if isinstance(config.get("bytes"), int) else []
    before = _table(config, "exported_from").get("precision")
    return ", ".join([PRECISIONS.get(precision, precision), *size, *([f"exported from {before}"] if before else [])])


def _tokenizer(facts: Mapping[str, Any]) -> str:
    """`bpe, 8,000 pieces`."""
    listed = facts.get("sizes")
    sizes = dict.fromkeys(map(_number, listed)) if isinstance(listed, list) else {}
    return f"{facts.get('algorithm')}, {' and '.join(sizes)} pieces" if sizes else ""


def _training(facts: Mapping[str, Any]) -> str:
    """`1,644 updates, 2,400,599 target tokens, 12 minutes`."""
    words = {"updates": "update", "tokens": "target token"}
    counted = [(facts[name], word) for name, word in words.items() if isinstance(facts.get(name), int)]
    parts = [f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in counted]
    if isinstance(seconds := facts.get("seconds"), int | float):
        parts.append(f"{seconds / 60:,.1f} minutes" if seconds < 7200 else f"{seconds / 3600:,.1f} hours")
    return ", ".join(parts)


def _measured(config: Mapping[str, Any]) -> set[str]:
    """The names of all scores."""
    rows = [one for _, split in _tables(_table(config, "scores")) for _, one in _tables(split)]
    return {name for row in (*rows, _table(_table(config, "scores"), "valid")) for name in row}


def _directions(config: Mapping[str, Any]) -> list[str]:
    return [f"{source}-{target}" for source, target in _pairs(config)]


def _pairs(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    result = config.get("directions")
    rows = [one for one in result if isinstance(one, list) and len(one) == 2] if isinstance(result, list) else []
    return [(str(source), str(target)) for source, target in rows]


def _texts(config: Mapping[str, Any], key: str) -> list[str]:
    result = config.get(key)
    return [one for one in result if isinstance(one, str)] if isinstance(result, list) else []


def _table(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A mapping inside another one; nothing where there is none."""
    result = config.get(key)
    return result if isinstance(result, Mapping) else {}


def _tables(config: Mapping[str, Any], key: str | None = None) -> list[tuple[str, Mapping[str, Any]]]:
    """All mappings inside another one, or inside the one of a key."""
    inside = config if key is None else _table(config, key)
    return [(name, one) for name, one in inside.items() if isinstance(one, Mapping)]


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _cell(value: object) -> str:
    """Of a table: one line without bars."""
    return " ".join(str(value).replace("|", "/").split())
