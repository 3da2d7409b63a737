"""`python -m bench`: what can be measured here, and how."""

from __future__ import annotations

import ast
from pathlib import Path


def main() -> None:
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        about = ast.get_docstring(ast.parse(path.read_text())) or ""
        if f"python -m bench.{path.stem}" in about:
            print(f"{about.splitlines()[0]}")


if __name__ == "__main__":
    main()
