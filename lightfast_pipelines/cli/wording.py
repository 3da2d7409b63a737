"""How a line says what happened: what it is, and the thing with a name that finds it again."""

from __future__ import annotations

import re

from lightfast_pipelines.cli.console import on_one_line

_SHORT_SHA = 9
_COMMIT = "github:commit:"
# A title begins with what happened: `[PR Merged] Add a cart`, `[Deployment Promoted (production)] ...`.
_TITLE = re.compile(r"\[(?P<what>[^\]]{1,60})\]\s*(?P<text>.*)", re.DOTALL)


def observations(count: int) -> str:
    """`1 observation`, `1,200 observations`."""
    return "1 observation" if count == 1 else f"{count:,} observations"


def told(title: str, kind: str, key: str, name: str | None) -> tuple[str, str]:
    """(what happened, to what) of an observation with this title, type and subject.

    >>> told("[PR Merged] Add a cart", "pull-request.merged", "github:pr:1#5", "#5 Add a cart")
    ('PR merged', '#5 Add a cart')
    """
    match = _TITLE.fullmatch(on_one_line(title))
    what, text = (
        (match["what"], match["text"])
        if match
        else (kind.replace(".", " ").replace("-", " "), title)
    )
    what = f"PR {what[3:].lower()}" if what.startswith("PR ") else what.lower()
    text, name = on_one_line(text).strip(), on_one_line(name or "")
    if key.startswith(_COMMIT):
        return what, f"{key.removeprefix(_COMMIT)[:_SHORT_SHA]} {text}"
    # The name has the number or identifier that the title leaves out, but may be newer than it.
    number, _, rest = name.partition(" ")
    if rest and text and rest.startswith(text.rstrip("….")) and number not in text:
        return what, f"{number} {text}"
    return what, text or name or key
