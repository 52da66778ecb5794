"""What mkdocs adds to the pages: the reference, made of the comments in conf/, and files that stand beside docs/.

Pages link to files of the repository as a reader of the repository finds them (`../recipes/cells/README.md`); on the
site the same files stand at the same places, and only the first `../` goes.
"""

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
import reference

ROOT = Path(__file__).parent.parent
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "recipes/*/README.md")  # become pages
FILES = ("LICENSE", "recipes/*/*.py", "recipes/*/*.sh", "recipes/*/*.png", "seq2seq/**/*.py", "conf/**/*.yaml")
OUTSIDE = re.compile(r"\]\((?:\.\./)(?=(?:\.\./)*(?:recipes|seq2seq|conf|CHANGELOG\.md|CONTRIBUTING\.md|LICENSE))")
INSIDE = re.compile(r"\]\(docs/")


def on_files(files: Files, config: Any) -> Files:
    """Adds the generated reference, recipes and the sources that pages link to."""
    for name, text in reference.pages(ROOT / "conf").items():
        files.append(File.generated(config, f"reference/{name}", content=text))
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            text = INSIDE.sub("](", path.read_text("utf-8"))
            files.append(File.generated(config, str(path.relative_to(ROOT)), content=text))
    for pattern in FILES:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, str(path.relative_to(ROOT)), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to files beside docs/ lead to their copies on the site."""
    return OUTSIDE.sub("](", markdown) if not page.file.generated_by else markdown
