"""What ships: the YAML files inside the wheel, one version, and only known packages behind the core."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import seq2seq

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built from this checkout."""
    pytest.importorskip("hatchling", reason="the extra dev is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path).namelist()


def test_every_yaml_is_in_the_wheel(wheel: list[str]) -> None:
    here = {f"seq2seq/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    assert here and here <= set(wheel)


def test_every_file_is_in_the_wheel_and_nothing_else(wheel: list[str]) -> None:
    files = [path for path in (ROOT / "seq2seq").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.suffix for path in files} >= {".py", ".html", ".typed"}
    assert {str(path.relative_to(ROOT)) for path in files} <= set(wheel)
    assert {name.split("/")[0] for name in wheel} == {"seq2seq", f"seq2seq-{seq2seq.__version__}.dist-info"}


def test_versions_agree() -> None:
    assert PROJECT["version"] == seq2seq.__version__
    assert f"## [{seq2seq.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_torch_is_bounded() -> None:
    """Without an upper bound pip fetches the newest CUDA build, several GB."""
    [torch] = [one for one in PROJECT["dependencies"] if one.startswith("torch")]
    assert "<" in torch


def test_the_licence_is_apache_2() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8") and PROJECT["license"] == "Apache-2.0"
