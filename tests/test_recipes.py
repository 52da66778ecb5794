"""Every recipe tells its story in a short run.sh whose commands compose."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from composition import composed

pytestmark = pytest.mark.slow

RECIPES = sorted((Path(__file__).parent.parent / "recipes").glob("*/run.sh"))
names = pytest.mark.parametrize("script", RECIPES, ids=lambda path: path.parent.name)
TRAININGS = [path for path in RECIPES if "seq2seq train" in path.read_text("utf-8")]


@pytest.fixture(scope="module", params=TRAININGS, ids=lambda path: path.parent.name)
def recipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[str]]]:
    """A recipe, and the seq2seq commands that it gives with the override seed=7, run with a seq2seq that only notes."""
    return request.param, noted(request.param, tmp_path_factory.mktemp("recipe"), "seed=7")


def noted(script: Path, folder: Path, *overrides: str) -> list[list[str]]:
    """The seq2seq commands of a recipe."""
    programs = folder / "bin"
    programs.mkdir()
    for name, body in {
        "seq2seq": f'[ -p /dev/stdin ] && cat > /dev/null; printf "%q " "$@" >> {folder}/noted; echo >> {folder}/noted',
        "python": f'printf "%q " "${{BENCHMARK_FOLDER:-}}" "$@" >> {folder}/programs; echo >> {folder}/programs',
        "cp": "true",
        "paste": "true",
    }.items():
        (programs / name).write_text(f"#!/bin/bash\n{body}\n", "utf-8")
        (programs / name).chmod(0o755)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "SEQ2SEQ_DATA": "/nowhere", "LC_ALL": "C.UTF-8"}
    subprocess.run(["bash", str(script), *overrides], cwd=work, env=environment, check=True, capture_output=True)
    return written(folder / "noted")


def written(path: Path) -> list[list[str]]:
    return [shlex.split(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def test_there_are_recipes() -> None:
    assert {"quickstart", "eutrans", "multi30k_en_de"} <= {path.parent.name for path in RECIPES}


@names
def test_run_sh_is_short_and_safe(script: Path) -> None:
    text = script.read_text("utf-8")
    assert text.count("\n") <= 25
    assert text.startswith("#!/usr/bin/env bash\n") and "set -euo pipefail" in text
    assert script.stat().st_mode & 0o100
    assert (script.parent / "README.md").is_file()


def test_its_commands_compose_in_order(recipe: tuple[Path, list[list[str]]]) -> None:
    given = recipe[1]
    names = [command[0] for command in given]
    assert names.count("train") != 1 or names == ["prepare", "train", "translate", "evaluate"]
    assert names[-1] not in ("prepare", "train")
    for command, *overrides in given:
        if command.startswith("train"):
            assert overrides[-1] == "seed=7" and composed(command, *overrides)["seed"] == 7
        else:
            assert "seed=7" not in overrides and composed(command, *overrides)


def test_it_writes_below_runs_and_its_name(recipe: tuple[Path, list[list[str]]]) -> None:
    script, given = recipe
    trainings = [command for command in given if command[0].startswith("train")]
    assert trainings
    for command, *overrides in trainings:
        configuration = composed(command, *overrides)
        folder = f"runs/{script.parent.name}"
        assert configuration["run"] == folder or configuration["run"].startswith(f"{folder}/")
        assert configuration["cache"].startswith("runs/")
    assert re.search(r"results\.json", script.read_text("utf-8"))


@pytest.mark.parametrize("script", TRAININGS, ids=lambda path: path.parent.name)
def test_the_run_folder_is_that_of_the_whole_script(script: Path, tmp_path: Path) -> None:
    given = noted(script, tmp_path, "run=other/mü a", "seed=7")
    words = [word for command in given for word in command if f"runs/{script.parent.name}" in word]
    assert words == []
    places = [word.partition("=")[2] for command in given for word in command if word.startswith(("run=", "model="))]
    assert places and all(place.startswith("other/mü a") for place in places)


@pytest.mark.parametrize(
    "script",
    [path for path in RECIPES[0].parent.parent.glob("*/*.sh") if path not in TRAININGS],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_so_it_is_of_scripts_that_leave_everything_to_programs(script: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "other a").mkdir(parents=True)
    for name in ("results.md", "speed.md", "quality.md", "compared.md"):
        (tmp_path / "work" / "other a" / name).touch()
    assert noted(script, tmp_path, "run=other a", "--seconds", "7") == []
    [*_, last] = programs = written(tmp_path / "programs")
    assert last[-2:] == ["--seconds", "7"] and all("other a" in words for words in programs)
