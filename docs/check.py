"""Checks the documents: every relative link leads somewhere, and no file names this machine's folders.

`python docs/check.py [FOLDER]` prints one line per finding and exits with 1 if there is any. Knows
Markdown's inline links and headings, no more.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Iterator
from urllib.parse import unquote

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKIPPED = {"__pycache__", "node_modules", "build", "dist"}
SYSTEM_FOLDERS = {"home", "mnt", "opt", "root", "run", "srv", "tmp", "usr", "var"}
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


def files(root: pathlib.Path, suffix: str = "") -> Iterator[pathlib.Path]:
    """Yield the files of the project under `root`; of hidden names only .ci is the project's."""
    for path in sorted(root.iterdir()):
        if path.name in SKIPPED or (path.name[0] == "." and path.name != ".ci"):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files(path, suffix)
        elif path.is_file() and path.name.endswith(suffix):
            yield path


def anchors(text: str) -> set[str]:
    """Return the anchors that the headings of `text` make, as the usual renderers spell them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        name, count = slug, 0
        while name in found:
            count += 1
            name = f"{slug}-{count}"
        found.add(name)
    return found


def broken_links(root: pathlib.Path) -> Iterator[str]:
    """Yield a line for each relative link of a Markdown file that leads nowhere."""
    for page in files(root, ".md"):
        text = page.read_text(encoding="utf-8")
        for target in _LINK.findall(_CODE.sub("", _FENCE.sub("", text))):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = unquote(target).partition("#")
            aim = (page.parent / path) if path else page
            where = page.relative_to(root)
            if not aim.exists():
                yield f"{where}: link to {target}: there is no such file"
            elif anchor and aim.suffix == ".md" and anchor not in anchors(aim.read_text(encoding="utf-8")):
                yield f"{where}: link to {target}: there is no such heading"


def machine_paths(root: pathlib.Path, checkout: pathlib.Path = ROOT) -> Iterator[str]:
    """Yield a line for each file that names the folder of the checkout, or the one around it."""
    # A checkout at /src or where we tell people to install would find itself in honest text.
    folders = [checkout] if len(checkout.parts) > 2 and checkout.name != "crontabx" else []
    if len(checkout.parts) == 3 and checkout.parts[1] not in SYSTEM_FOLDERS:
        folders.append(checkout.parent)
    if not folders:
        return
    named = re.compile("|".join(rf"(?<![\w.-]){re.escape(str(folder))}(?![\w.-])" for folder in folders))
    for path in files(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        for match in named.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path.relative_to(root)}:{line}: names {match.group()}, a folder of this machine"


def main(arguments: list[str]) -> int:
    """Print every finding; return 1 if there is one."""
    root = pathlib.Path(arguments[0]).resolve() if arguments else ROOT
    findings = [*broken_links(root), *machine_paths(root)]
    for finding in findings:
        print(finding)
    if not findings:
        print("links and paths are in order")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
