"""Who may import whom (docs/design.md, Layers), read from the source of every module."""

import ast
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (  # a package, or a module beside the packages, imports itself and those before it
    "errors",
    "_version",
    "special_tokens",
    "languages",
    "device",
    "io",
    "config",
    "plugins",
    "model_folder",
    "data",
    "network",
    "search",
    "training",
    "translation",
    "evaluation",
    "tasks",
    "analysis",
    "__init__",
    "cli",
    "__main__",
)
STRANGERS = (  # pairs that do not know each other, in either direction
    ("training", "translation"),
    ("training", "search"),
    ("analysis", "network"),
    ("analysis", "training"),
    ("analysis", "translation"),
)
NARROW = {  # all that a package knows of an earlier one
    ("network", "data"): ("seq2seq.data.loader.batch",),
    ("search", "network"): ("seq2seq.network.state",),
    ("search", "data"): ("seq2seq.data.loader.shuffle",),
}
ONLY_IN = {  # a package that one place alone may know
    "langcodes": ("seq2seq.languages",),
    "hydra": ("seq2seq.cli.app", "seq2seq.cli.arguments"),
    "omegaconf": ("seq2seq.cli.app",),
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
    return module.split(".")[1]


def rank(module: str) -> int:
    return LAYERS.index(layer_of(module))


def arrows() -> list[tuple[str, str]]:
    """Every import of one module of seq2seq by another."""
    pairs = [(module, name) for module in MODULES for name in imported(tree(module)) if within(name, "seq2seq")]
    pairs = [(module, name if name in MODULES else name.rpartition(".")[0]) for module, name in pairs]
    return [(module, f"{name}.__init__" if name == "seq2seq" else name) for module, name in pairs]


def violations(wrong: Callable[[str, str], bool], top: bool = False) -> list[str]:
    """All that a module imports (at its top) and should not."""
    pairs = [(module, name) for module in MODULES for name in imported(head(module) if top else tree(module))]
    return [f"{module} imports {name}" for module, name in pairs if wrong(module, name)]


def head(module: str) -> ast.Module:
    """What is imported whenever the module is."""
    return ast.Module([node for node in tree(module).body if isinstance(node, ast.Import | ast.ImportFrom)], [])


def test_every_module_has_a_layer() -> None:
    assert {layer_of(module) for module in MODULES} == set(LAYERS)


def test_arrows_point_to_earlier_packages() -> None:
    assert [f"{one} -> {other}" for one, other in arrows() if rank(other) > rank(one)] == []


@pytest.mark.parametrize(("one", "other"), STRANGERS)
def test_some_packages_do_not_know_each_other(one: str, other: str) -> None:
    assert [pair for pair in arrows() if {layer_of(name) for name in pair} == {one, other}] == []


@pytest.mark.parametrize(("package", "earlier"), NARROW)
def test_some_packages_know_little_of_an_earlier_one(package: str, earlier: str) -> None:
    known = {name for module, name in arrows() if (layer_of(module), layer_of(name)) == (package, earlier)}
    assert known and known <= set(NARROW[package, earlier])


@pytest.mark.parametrize("library", ONLY_IN)
def test_one_place_knows_each_outer_library(library: str) -> None:
    assert violations(lambda module, name: within(name, library) and module not in ONLY_IN[library]) == []


def test_extras_are_imported_where_they_are_used() -> None:
    assert violations(lambda module, name: any(within(name, extra) for extra in EXTRAS), top=True) == []


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
    for module in ("__init__", "__main__", "cli.app", "cli.arguments", "config.build", "config.typecheck"):
        assert not [
            name
            for name in imported(head(f"seq2seq.{module}"))
            if name.split(".")[0] in ("torch", "hydra", "datasets", "sacrebleu")
        ]
