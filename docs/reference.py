"""The reference of commands and keys, made of the comments in conf/: every line there has one.

`python docs/reference.py` prints it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LINE = re.compile(r"(?P<indent> *)(?P<item>- )?(?P<key>[^\s#:]+(?: /?[^\s#:]+)*)(?P<colon>:?)(?P<rest>.*)")
HEADER = "header: |"  # begins the usage of a command


class Entry(NamedTuple):
    """A line of a YAML file: its dotted key, its value and its comment; `group` for one of the defaults list."""

    key: str
    value: str
    comment: str
    group: bool


def pages(conf: Path) -> dict[str, str]:
    """The pages of the reference by name."""
    return {"commands.md": _commands(conf), "groups.md": _groups(conf)}


def entries(path: Path) -> Iterator[Entry]:
    """What a YAML file says, line by line, without the section of Hydra and the target."""
    parents: list[tuple[int, str]] = []
    for line in path.read_text("utf-8").splitlines():
        match = LINE.fullmatch(line)
        if not match or line.lstrip().startswith("#"):
            continue
        indent, key = len(match["indent"]), match["key"]
        while parents and parents[-1][0] >= indent:
            parents.pop()
        value, _, comment = match["rest"].strip().partition("# ") if "#" in match["rest"] else (match["rest"], "", "")
        section = parents[0][1] if parents else key
        if section == "hydra" or key.startswith("override hydra") or key in ("_self_", "defaults"):
            parents.append((indent, key))
            continue
        dotted = ".".join([*(name for _, name in parents if name != "defaults"), key])
        yield Entry(dotted, value.strip(), comment.strip(), section == "defaults")
        if not match["item"] and match["colon"] and not value.strip():
            parents.append((indent, key))


def _commands(conf: Path) -> str:
    """A section for every command: what it is, its example, its groups and its keys."""
    files = [path for path in sorted(conf.glob("*.yaml")) if HEADER in path.read_text("utf-8")]
    head = (
        "# Commands\n\nEvery command takes `key=value` words, the keys below and those of the groups that it chooses "
        "from ([groups](groups.md)). `seq2seq COMMAND --help` prints the same.\n"
    )
    return "\n".join([head, *(_command(path) for path in files)])


def _command(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    title = lines[0].removeprefix("# seq2seq ")
    name, _, what = title.partition(": ")
    start = next(number for number, line in enumerate(lines) if HEADER in line)
    usage = "\n".join(line.strip() for line in lines[start + 1 :] if line.strip())
    found = list(_inherited(path))
    groups = [(entry.key.removeprefix("override /"), entry.value, entry.comment) for entry in found if entry.group]
    keys = [(entry.key, entry.value, entry.comment) for entry in found if not entry.group and entry.comment]
    parts = [f"## {name}", what[:1].upper() + what[1:], f"```text\n{usage}\n```"]
    if groups:
        linked = [(_link(key, path.parent), value, comment) for key, value, comment in groups]
        parts.append(_table(("group", "default", "what it chooses"), linked, code=(False, True, False)))
    parts.append(_table(("key", "default", "what it means"), keys, code=(True, True, False)))
    return "\n\n".join(parts) + "\n"


def _inherited(path: Path) -> Iterator[Entry]:
    """The entries of a command, those of the files that several commands share in their place."""
    for entry in entries(path):
        shared = path.parent / f"{entry.key}.yaml"
        if entry.group and not entry.value and shared.is_file():
            yield from _inherited(shared)
        else:
            yield entry


def _groups(conf: Path) -> str:
    """A section for every group, and in it one for every choice."""
    folders = [path for path in sorted(conf.rglob("*")) if path.is_dir() and not path.is_relative_to(conf / "hydra")]
    head = (
        "# Groups and their keys\n\n`group=choice` chooses a part; its keys are set as `group.key=value`, such as "
        "`cell=gru cell.weight_dropout=0.1`.\n"
    )
    return "\n".join([head, *(_group(folder, conf) for folder in folders)])


def _group(folder: Path, conf: Path) -> str:
    name = str(folder.relative_to(conf))
    parts = [f"## {name} {{#{_anchor(name)}}}"]
    for path in sorted(folder.glob("*.yaml")):
        rows = [row for row in _rows(path) if row[0]]
        parts.append(f"### {name}={path.stem} {{#{_anchor(name)}-{path.stem}}}\n\n{' '.join(_about(path))}")
        if rows:
            parts.append(_table(("key", "default", "what it means"), rows, code=(True, True, False)))
    return "\n\n".join(parts) + "\n"


def _rows(path: Path) -> list[tuple[str, str, str]]:
    """A file's keys; what the target of a nested part says belongs to the part's key."""
    rows: list[tuple[str, str, str]] = []
    for entry in entries(path):
        if entry.key.endswith("._target_"):
            key, value, comment = rows.pop()
            rows.append((key, value, "; ".join(filter(None, (comment, entry.comment)))))
        elif entry.comment and not entry.key.endswith("_partial_") and entry.key != "_target_":
            rows.append((entry.key.removeprefix("override /"), entry.value, entry.comment))
    return rows


def _about(path: Path) -> Iterator[str]:
    """What a choice is: the comments at the top of its file, and that of its target."""
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @"):
            yield line.removeprefix("# ")
    for entry in entries(path):
        if entry.key == "_target_":
            yield f"{entry.comment[:1].upper()}{entry.comment[1:]}."


def _link(key: str, conf: Path) -> str:
    group = key.partition("@")[0]
    known = (conf / group).is_dir()
    return f"[`{key}`](groups.md#{_anchor(group)})" if known else f"`{key}`"


def _anchor(name: str) -> str:
    return "group-" + name.replace("/", "-")


def _table(head: tuple[str, ...], rows: list[tuple[str, str, str]], code: tuple[bool, ...]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [_cell(text, is_code) for text, is_code in zip(row, code, strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(text: str, is_code: bool) -> str:
    if is_code:
        return f"`{text.replace('|', '&#124;')}`" if text else ""
    return re.sub(r"[&<>*_|\\[\]`]", lambda match: f"&#{ord(match[0])};", text) if "](" not in text else text


if __name__ == "__main__":
    for text in pages(Path(__file__).parent.parent / "conf").values():
        print(text)
