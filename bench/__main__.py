"""`python -m bench`: what can be measured here, and how."""

from __future__ import annotations

import ast
from pathlib import Path


def main() -> None:
    here = Path(__file__).parent
    for path in (*sorted(here.glob("*/__main__.py")), *sorted(here.glob("[a-z]*.py"))):
        about = ast.get_docstring(ast.parse(path.read_text())) or ""
        name = path.parent.name if path.stem == "__main__" else path.stem
        if f"python -m bench.{name}" in about:
            print(f"{about.splitlines()[0]}")


if __name__ == "__main__":
    main()
