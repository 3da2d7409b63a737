"""Builds the statement of one payload: gathers what the payload points at, in display order.

Each provider adds methods for its own payloads in a subclass; nothing here knows a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Required, TypedDict, Unpack

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Account,
    AccountMention,
    Edge,
    Mention,
    Occurrence,
    Reference,
    StateChange,
    Statement,
    TextScope,
    Thing,
)


class StatementFields(TypedDict, total=False):
    """The fields of a `Statement` that the builder does not gather."""

    source_id: Required[str]
    source_type: Required[str]
    occurred_at: Required[datetime]
    title: Required[str]
    content: str
    base_significance: int
    actor: Account | None
    author: Account | None
    states: tuple[StateChange, ...]
    metadata: Mapping[str, Any]
    updated_at: datetime | None
    scope: TextScope | None
    link_text: str | None
    branch: str | None
    paths: tuple[str, ...] | None
    occurrence: Occurrence | None
    part: str | None
    written_at: datetime | None
    parents: tuple[str, ...] | None


class StatementBuilder:
    """The references, mentions, edges and accounts of one statement about `subject`.

    A mention or an account that is added again counts once. Accounts and mentions are dictionaries, for
    order and fast look-up: an alert can name thousands of projects, and a thing can have thousands of
    assignees.
    """

    def __init__(self, source: str, subject: Thing) -> None:
        self.source = source
        self.subject = subject
        self.accounts: dict[AccountMention, None] = {}
        self.references: list[Reference] = []
        self.mentions: dict[Mention, None] = {}
        self.edges: list[Edge] = []

    def refer(
        self, kind: str, shown: str, url: str | None = None, label: str | None = None
    ) -> None:
        """Adds only a reference: a thing that is pointed at without being mentioned."""
        self.references.append(Reference(kind, shown, url, label))

    def refer_to(self, kind: str, thing: Thing, shown: str, label: str | None = None) -> None:
        """Adds a reference, and a mention in the role of its kind."""
        self.refer(kind, shown, thing.url, label)
        self.mention(thing, kind)

    def mention(
        self,
        thing: Thing,
        role: str = "reference",
        evidence: str | None = None,
        confidence: float = 1.0,
        method: str = "payload",
    ) -> None:
        self.mentions[Mention(thing, role, evidence, confidence, method)] = None

    def mention_file(
        self, path: str | None, confidence: float = 1.0, change: str | None = None
    ) -> None:
        """`change`: what the subject did to the file (added, modified, removed)."""
        if path is not None:
            self.mention(Thing(keys.file(path), path), "file", change, confidence)

    def relate(
        self,
        relation: str,
        thing: Thing,
        role: str = "reference",
        *,
        evidence: str | None = None,
        confidence: float = 1.0,
        method: str = "payload",
    ) -> None:
        """Adds an edge from the subject to `thing`, and a mention of `thing`; nothing relates to itself."""
        if thing.key != self.subject.key:
            self.mention(thing, role, evidence, confidence, method)
            self.edges.append(Edge(self.subject, relation, thing, confidence, method, evidence))

    def relate_from(
        self,
        thing: Thing,
        relation: str,
        role: str = "reference",
        *,
        evidence: str | None = None,
        confidence: float = 1.0,
        method: str = "payload",
    ) -> None:
        """Adds an edge from `thing` to the subject, and a mention of `thing`."""
        if thing.key != self.subject.key:
            self.mention(thing, role, evidence, confidence, method)
            self.edges.append(Edge(thing, relation, self.subject, confidence, method, evidence))

    def add_account(self, role: str, account: Account | None) -> None:
        """Adds an account that takes part, without a mention of its user."""
        if account is not None:
            self.accounts[AccountMention(role, account)] = None

    def add_user(self, role: str, account: Account | None, url: str | None = None) -> bool:
        """Adds an account that takes part, and a mention of its user; False if it is already there."""
        if account is None or AccountMention(role, account) in self.accounts:
            return False
        self.add_account(role, account)
        key = keys.user(self.source, account.source_id)
        self.mention(Thing(key, account.username or account.name, url), role)
        return True

    def build(self, **fields: Unpack[StatementFields]) -> Statement:
        return Statement(
            source=self.source,
            subject=self.subject,
            accounts=tuple(self.accounts),
            references=tuple(self.references),
            mentions=(Mention(self.subject, "subject"), *self.mentions),
            edges=tuple(self.edges),
            **fields,
        )
