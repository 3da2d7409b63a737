"""The three texts of an observation that are embedded: its views."""

from __future__ import annotations

# Raised when a view's text changes: then all vectors are made again.
RULE_VERSION = 1

_SUMMARY_CHARACTERS = 1_000


def view_texts(title: str, content: str) -> tuple[str, str, str]:
    """Texts of the views title, content and summary; the title stands in for missing content.

    So a search over contents finds every observation.
    """
    if not content.strip():
        return title, title, title
    return title, content, f"{title}\n\n{content[:_SUMMARY_CHARACTERS]}"
