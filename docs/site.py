"""Lays the pages of the site out in build/, and finds links that lead nowhere: `make docs-serve`.

The site is docs/, and of the project's own folder the pages that people look for there, beside each other.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Pages of the project's folder.
OF_THE_PROJECT = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "benchmarks/RESULTS.md",
)
_LINK = re.compile(r"(?<=\]\()(?!https?://|#)([^)#\s]+)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def sources() -> dict[str, Path]:
    """The file of each page by its name in the site."""
    docs = ROOT / "docs"
    named = {file.relative_to(docs).as_posix(): file for file in sorted(docs.rglob("*.md"))}
    return named | {name: ROOT / name for name in OF_THE_PROJECT}


def pictures() -> dict[str, Path]:
    """The file of each picture by its name in the site."""
    docs = ROOT / "docs"
    return {file.relative_to(docs).as_posix(): file for file in sorted(docs.rglob("*.svg"))}


def page(name: str, file: Path, names: dict[Path, str]) -> str:
    """The text of a page as the site has it: links to other pages and to pictures lead there, others are none."""

    def link(match: re.Match[str]) -> str:
        target = (file.parent / match[1]).resolve()
        up = "../" * name.count("/")
        return up + names[target] if target in names else match[1]

    text = _LINK.sub(link, file.read_text(encoding="utf-8"))
    # What is neither, such as a schema, is in the repository alone.
    return re.sub(
        r"\[([^\]]+)\]\((?!https?://|#)([^)\s]+)\)",
        lambda match: match[0] if ".md" in match[2] or match[2].endswith(".svg") else match[1],
        text,
    )


def dead_links() -> Iterator[str]:
    """Each link of a page to a file or a heading that is not there: the page, and the link."""
    for name, file in sources().items():
        for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", _FENCED.sub("", file.read_text(encoding="utf-8"))):
            path, _, anchor = target.partition("#")
            linked = (file.parent / path).resolve() if path else file
            if not linked.exists() or (anchor and anchor not in anchors(linked)):
                yield f"{name}: {target}"


def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings, as Markdown's toc makes them."""
    headings = _HEADING.findall(_FENCED.sub("", file.read_text(encoding="utf-8")))
    plain = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


def main() -> None:
    """Writes build/site-pages, and build/zensical.toml for it."""
    pages = ROOT / "build/site-pages"
    shutil.rmtree(pages, ignore_errors=True)
    files, drawn = sources(), pictures()
    names = {file.resolve(): name for name, file in (files | drawn).items()}
    for name, file in files.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_text(page(name, file, names), encoding="utf-8")
    for name, file in drawn.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, pages / name)
    shutil.copy(ROOT / "docs/zensical.toml", ROOT / "build/zensical.toml")


if __name__ == "__main__":
    main()
