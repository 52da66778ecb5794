"""Who may import whom (ARCHITECTURE.md, Layers), read from the source of every module."""

import ast
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND = (
    "seq2seq.arguments",
    "seq2seq.symbols",
    "seq2seq.errors",
    "seq2seq.json_text",
    "seq2seq.config",
    "seq2seq.checking",
    "seq2seq.children",
    "seq2seq.device",
    "seq2seq.durable",
    "seq2seq.languages",
    "seq2seq.model_card",
    "seq2seq.model_config",
    "seq2seq.model_folder",
    "seq2seq.model_weights",
    "seq2seq.network.quantisation",
    "seq2seq.own",
    "seq2seq.places",
    "seq2seq.quoting",
    "seq2seq.text_keys",
    "seq2seq.undrawn",
    "seq2seq.__init__",
)
MAY_IMPORT = {  # layer: what it may import of seq2seq besides itself and the ground floor
    "ground": (),
    "data": (),
    "network": ("seq2seq.data.batch",),
    "training": ("seq2seq.data", "seq2seq.network"),
    "search": ("seq2seq.network.state", "seq2seq.data.order"),
    "translation": ("seq2seq.data", "seq2seq.network", "seq2seq.search"),
    "modelling": ("seq2seq.data", "seq2seq.network", "seq2seq.search", "seq2seq.translation.lines"),
    "labelling": ("seq2seq.data", "seq2seq.network", "seq2seq.search", "seq2seq.translation.lines"),
    "evaluation": ("seq2seq.data", "seq2seq.network", "seq2seq.search", "seq2seq.translation"),
    "analysis": (),
    "command": ("seq2seq",),
    "cli": ("seq2seq.command",),
}
ONLY_IN = {  # a package that one place alone may know
    "langcodes": ("seq2seq.languages",),
    "hydra": ("seq2seq.cli", "seq2seq.arguments"),
    "omegaconf": ("seq2seq.cli",),
    "sacrebleu": ("seq2seq.evaluation.metric",),
}
EXTRAS = ("zstandard", "matplotlib", "tensorboard", "torch.utils.tensorboard", "num2words", "babel")
FAMILIES = (
    "network.cell",
    "network.attention",
    "network.decoder",
    "training.objective",
    "search",
    "data.corpus",
    "data.cleaning",
    "data.augmentation",
)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {name_of(path): path for path in sorted((ROOT / "seq2seq").rglob("*.py"))}


@functools.cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module, or name in a module, that is imported anywhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def layer_of(module: str) -> str:
    if module in GROUND:
        return "ground"
    return "cli" if module in ("seq2seq.cli", "seq2seq.__main__") else module.split(".")[1]


def test_every_module_has_a_layer() -> None:
    assert {layer_of(module) for module in MODULES} <= set(MAY_IMPORT)


def allowed_in(module: str) -> list[str]:
    layer = layer_of(module)
    api = ["seq2seq.translation", "seq2seq.search.base"] if module == "seq2seq.__init__" else []  # the public one
    return [*MAY_IMPORT[layer], *GROUND, "seq2seq.__version__", f"seq2seq.{layer}", *api]


def found(wrong: Callable[[str, str], bool], top: bool = False) -> list[str]:
    """All that a module imports (at its top) and should not."""
    pairs = [(module, name) for module in MODULES for name in imported(head(module) if top else tree(module))]
    return [f"{module} imports {name}" for module, name in pairs if wrong(module, name)]


def head(module: str) -> ast.Module:
    """What is imported whenever the module is."""
    return ast.Module([node for node in tree(module).body if isinstance(node, ast.Import | ast.ImportFrom)], [])


def test_arrows_point_to_earlier_wings() -> None:
    ours = functools.partial(within, package="seq2seq")
    assert found(lambda module, name: ours(name) and not any(within(name, one) for one in allowed_in(module))) == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_one_place_knows_each_outer_library(library: str) -> None:
    assert found(lambda module, name: within(name, library) and module not in ONLY_IN[library]) == []


def test_extras_are_imported_where_they_are_used() -> None:
    assert found(lambda module, name: any(within(name, extra) for extra in EXTRAS), top=True) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_members_of_a_family_do_not_know_each_other(family: str) -> None:
    targets = [
        line.split()[1].rpartition(".")[0]
        for path in (ROOT / "conf" / family.split(".")[-1]).glob("*.yaml")
        for line in path.read_text("utf-8").splitlines()
        if line.strip().startswith("_target_:")
    ]
    assert targets, f"no YAML of {family}"
    for member in set(targets):
        others = set(targets) - {member}
        known = {other for name in imported(tree(member)) for other in others if within(name, other)}
        assert not known, f"{member} imports {known}"


def test_the_command_line_starts_without_torch() -> None:
    for module in ("__init__", "__main__", "cli", "arguments", "config", "checking"):
        assert not [
            name
            for name in imported(head(f"seq2seq.{module}"))
            if name.split(".")[0] in ("torch", "hydra", "datasets", "sacrebleu")
        ]
