"""Where the corpus of recorded histories is: beside the checkout, unless a command is given another."""

from __future__ import annotations

from pathlib import Path

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
