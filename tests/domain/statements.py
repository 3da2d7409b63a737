"""A statement about pull request 99 of Octo/Repo, as the rules' tests need it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Statement, TextScope, Thing

SCOPE = TextScope("1", "Octo/Repo")
SUBJECT = Thing(
    keys.github_pull_request(1, 99),
    aliases=(keys.github_number_by_id(1, 99), keys.github_number_by_name("Octo/Repo", 99)),
)


def pull_request(text: str, **fields: Any) -> Statement:
    values: dict[str, Any] = {
        "source_id": "github:pr:1#99|opened",
        "source": "github",
        "source_type": "pull-request.opened",
        "subject": SUBJECT,
        "occurred_at": datetime(2024, 5, 1, tzinfo=UTC),
        "title": text.split("\n", maxsplit=1)[0],
        "content": text,
        "base_significance": 50,
        "scope": SCOPE,
        "link_text": text,
    }
    return Statement(**{**values, **fields})
