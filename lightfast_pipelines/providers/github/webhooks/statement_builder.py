"""Adds what GitHub's payloads about a repository have in common: people, labels, milestones, commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from lightfast_pipelines.domain.events import Statement, Thing
from lightfast_pipelines.providers.fields import child, children, name_of, text, url, whole
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.host import identity
from lightfast_pipelines.providers.github.webhooks.branch_names import linear_issues_of
from lightfast_pipelines.providers.github.webhooks.repository import Repository
from lightfast_pipelines.providers.statement_builder import StatementBuilder, StatementFields


class GitHubStatementBuilder(StatementBuilder):
    """Builds a statement about something in `repository`, with the repository's facts in its metadata."""

    def __init__(self, repository: Repository, subject: Thing) -> None:
        super().__init__("github", subject)
        self.repository = repository

    def build(self, **fields: Unpack[StatementFields]) -> Statement:
        fields.setdefault("scope", self.repository.scope)
        fields["metadata"] = {**self.repository.facts, **fields.get("metadata", {})}
        return super().build(**fields)

    def add_people(self, role: str, users: Iterable[Any]) -> None:
        """Users in a role; ghosts and repetitions are left out."""
        for user in users:
            person = account(user)
            if person is not None and self.add_user(role, person, url(user)):
                self.refer(role, person.username or person.source_id, url(user))

    def add_assignees(self, item: Mapping[str, Any]) -> None:
        """All assignees; old payloads have `assignee` alone."""
        self.add_people("assignee", children(item, "assignees") or [child(item, "assignee")])

    def add_labels(self, item: Mapping[str, Any]) -> list[str]:
        """Adds the labels and returns their names; a label without a name is left out."""
        names = [name for label in children(item, "labels") if (name := name_of(label, "name"))]
        for name in names:
            self.add_label(name)
        return names

    def add_label(self, name: str) -> None:
        self.refer_to("label", Thing(github_keys.label(self.repository.id, name), name), name)

    def add_milestone(self, item: Mapping[str, Any]) -> None:
        milestone = child(item, "milestone")
        number = whole(milestone, "number")
        if number is not None:
            title = (text(milestone, "title") or "")[:200] or None
            key = github_keys.milestone(self.repository.id, number)
            self.relate("belongs_to", Thing(key, title, url(milestone)), "milestone")

    def add_commit(self, relation: str, sha: str | None, label: str | None = None) -> None:
        if sha is not None:
            commit = self.repository.commit(sha)
            self.refer("commit", sha, commit.url, label)
            self.relate(relation, commit)

    def add_head(self, pull: Mapping[str, Any]) -> None:
        """A pull request's branch and its last commit.

        Of a fork that is gone only the branch's name is known. The name may contain the identifier
        of the Linear issue that is worked on.
        """
        head = child(pull, "head")
        ref, fork = name_of(head, "ref"), child(head, "repo")
        fork_id = identity(fork)
        if ref and fork_id is None:
            self.refer("branch", ref)
        elif ref and fork_id is not None:
            at_home = fork_id == self.repository.id
            home = self.repository if at_home else Repository(fork_id, None, url(fork), None)
            branch = home.branch(ref)
            self.refer("branch", ref, branch.url)
            self.relate("on_branch", branch)
        for issue in linear_issues_of(ref) if ref else ():
            self.relate_from(issue, "tracked_in", evidence=ref, confidence=0.9, method="branch")
        self.add_commit("contains", name_of(head, "sha"))

    def add_place(self, item: Mapping[str, Any]) -> None:
        """The milestone and head of an item to which something else happened.

        They become relations, but not references: those are only what the event itself points at.
        """
        known_edges = set(self.edges)
        place = GitHubStatementBuilder(self.repository, self.subject)
        place.add_milestone(item)
        place.add_head(item)
        new_edges = [edge for edge in place.edges if edge not in known_edges]
        related_keys = {edge.object.key for edge in new_edges}
        self.edges += new_edges
        self.mentions |= {
            mention: None for mention in place.mentions if mention.thing.key in related_keys
        }
