"""What an issue, pull request or discussion points at, gathered in the order in which it is shown.

People, labels and milestone are the same for all of them; the rest each module adds itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import AccountMention, Edge, Mention, Reference, Thing
from lightfast_pipelines.providers.fields import child, children, name_of, text, url, whole
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.host import identity
from lightfast_pipelines.providers.github.webhooks.branch_names import linear_issues_of
from lightfast_pipelines.providers.github.webhooks.repository import Repository


class Parts:
    """References, mentions, edges and accounts of one statement about `subject`."""

    def __init__(self, repository: Repository, subject: Thing) -> None:
        self.repository = repository
        self.subject = subject
        # A dictionary for its order and its look-up: a thing can have thousands of assignees.
        self.accounts: dict[AccountMention, None] = {}
        self.references: list[Reference] = []
        self.mentions: list[Mention] = [Mention(subject, "subject")]
        self.edges: list[Edge] = []

    def relate(self, relation: str, thing: Thing, role: str = "reference") -> None:
        """The subject stands in this relation to `thing`."""
        self.mentions.append(Mention(thing, role))
        self.edges.append(Edge(self.subject, relation, thing))

    def add_account(self, role: str, user: Any) -> None:
        """An account in a role that is not itself something to look for."""
        found = account(user)
        if found is not None:
            self.accounts[AccountMention(role, found)] = None

    def add_people(self, role: str, users: Iterable[Any]) -> None:
        """Accounts in a role, each also a mention of the user; ghosts and repetitions are left out."""
        for user in users:
            found = account(user)
            if found is None:
                continue
            mention = AccountMention(role, found)
            if mention in self.accounts:
                continue
            thing = Thing(keys.user("github", found.source_id), found.username, url(user))
            self.accounts[mention] = None
            self.mentions.append(Mention(thing, role))
            self.references.append(Reference(role, found.username or found.source_id, thing.url))

    def add_assignees(self, item: Mapping[str, Any]) -> None:
        """All of them; old payloads have `assignee` alone."""
        self.add_people("assignee", children(item, "assignees") or [child(item, "assignee")])

    def add_labels(self, item: Mapping[str, Any]) -> list[str]:
        """The labels' names; a label without a name is left out."""
        names: list[str] = []
        for label in children(item, "labels"):
            name = name_of(label, "name")
            if name is not None:
                names.append(name)
                thing = Thing(keys.github_label(self.repository.id, name), name)
                self.references.append(Reference("label", name))
                self.mentions.append(Mention(thing, "label"))
        return names

    def add_milestone(self, item: Mapping[str, Any]) -> None:
        found = child(item, "milestone")
        number = whole(found, "number")
        if number is not None:
            title = (text(found, "title") or "")[:200] or None
            key = keys.github_milestone(self.repository.id, number)
            self.relate("belongs_to", Thing(key, title, url(found)), "milestone")

    def add_commit(self, relation: str, sha: str | None, label: str | None = None) -> None:
        if sha is not None:
            commit = self.repository.commit(sha)
            self.references.append(Reference("commit", sha, commit.url, label))
            self.relate(relation, commit)

    def add_head(self, pull: Mapping[str, Any]) -> None:
        """The head's branch, of which a fork that is gone says only the name, and its last commit.

        The branch's name may say which issue of Linear's is worked on.
        """
        head = child(pull, "head")
        ref, fork = name_of(head, "ref"), child(head, "repo")
        fork_id = identity(fork)
        if ref and fork_id is None:
            self.references.append(Reference("branch", ref))
        elif ref and fork_id is not None:
            at_home = fork_id == self.repository.id
            home = self.repository if at_home else Repository(fork_id, None, url(fork), None)
            branch = home.branch(ref)
            self.references.append(Reference("branch", ref, branch.url))
            self.relate("on_branch", branch)
        for tracked in linear_issues_of(ref) if ref else ():
            self.mentions.append(Mention(tracked, "reference", ref, 0.9, "branch"))
            self.edges.append(Edge(tracked, "tracked_in", self.subject, 0.9, "branch", ref))
        self.add_commit("contains", name_of(head, "sha"))

    def add_place(self, item: Mapping[str, Any]) -> None:
        """Where an item stands, whatever happened to it: its milestone, a pull request's head.

        Related, but not among the references, which are what the event itself points at.
        """
        known, place = len(self.edges), Parts(self.repository, self.subject)
        place.add_milestone(item)
        place.add_head(item)
        new = [edge for edge in place.edges if edge not in self.edges[:known]]
        things = {edge.object.key for edge in new}
        self.edges += new
        self.mentions += [each for each in place.mentions if each.thing.key in things]
