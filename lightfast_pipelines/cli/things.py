"""How a command finds the thing that a person names, and says what to do if it finds none or several."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import on_one_line
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.linked_resources import Workspace
    from lightfast_pipelines.store.things import NamedThing

_FORMS = (
    "a key or alias, acme/shop#43, 43 (or '#43'), CHK-12, a Sentry short id, a commit's sha, a tag, a "
    "branch, a file's path, a name, or an address"
)
NamedKey = Annotated[str, typer.Argument(metavar="KEY", help=f"What is meant: {_FORMS}.")]
MaybeWorkspace = Annotated[
    str | None,
    typer.Option(
        "--workspace", "-w", help="Workspace (slug, or org/slug); not needed if one alone fits."
    ),
]


def workspaces_meant(conn: Connection, given: str | None) -> list[Workspace]:
    """The workspace that was given, or else all of them."""
    from lightfast_pipelines.cli.opening import workspace_named
    from lightfast_pipelines.store.linked_resources import list_workspaces

    if given is not None:
        return [workspace_named(conn, given)]
    workspaces = list_workspaces(conn)
    if not workspaces:
        raise Failure("there is no workspace yet: `lightfast workspace add NAME` makes one")
    return workspaces


def the_workspace(conn: Connection, given: str | None) -> Workspace:
    """The workspace that was given, or else the only one."""
    workspaces = workspaces_meant(conn, given)
    if len(workspaces) > 1:
        raise Failure(f"there are several workspaces: say --workspace {_listed(workspaces)}")
    return workspaces[0]


def the_thing(conn: Connection, text: str, workspace: str | None) -> NamedThing:
    """The one thing that the text names. Raises Failure if there is none, or more than one."""
    workspaces = workspaces_meant(conn, workspace)
    found = things_meant(conn, text, workspaces)
    if len(found) > 1:
        raise ambiguous(text, found)
    if not found:
        raise unknown(conn, text, workspaces)
    return found[0]


def one_key(conn: Connection, text: str, workspace: str | None) -> str | None:
    """The key of the one thing that the text names, maybe in several workspaces; None if there is none.

    Raises Failure if it may mean things with different keys.
    """
    found = things_meant(conn, text, workspaces_meant(conn, workspace))
    if len({each.key for each in found}) > 1:
        raise ambiguous(text, found)
    return found[0].key if found else None


def things_meant(conn: Connection, text: str, workspaces: Sequence[Workspace]) -> list[NamedThing]:
    """The things that fit best, in any of these workspaces."""
    from lightfast_pipelines.store.things import things_named

    if not text.strip():
        raise typer.BadParameter(f"write {_FORMS}", param_hint="KEY")
    return things_named(conn, text, workspaces)


def unknown(conn: Connection, text: str, workspaces: Sequence[Workspace]) -> Failure:
    """The error that says what can be written instead."""
    from lightfast_pipelines.store.things import linked_repository

    repository = linked_repository(conn, text, workspaces)
    if repository is not None:
        return Failure(
            f"{on_one_line(repository)} is linked, but no delivery was about the repository itself: "
            "`lightfast timeline` lists what happened in it"
        )
    where = f" in {workspaces[0].slug}" if len(workspaces) == 1 else ""
    return Failure(
        f"nothing is known about {text!r}{where}: write {_FORMS}. `lightfast timeline` lists "
        "what happened with its keys; `lightfast why KEY` says what became of its deliveries"
    )


def ambiguous(text: str, found: Sequence[NamedThing]) -> Failure:
    """The error that lists what the text may mean, with what to write instead."""
    from lightfast_pipelines.store.things import MOST_CANDIDATES

    is_one_key = len({each.key for each in found}) == 1
    if is_one_key:
        where = _listed([each.workspace for each in found])
        return Failure(f"{text!r} is in several workspaces: say --workspace {where}")
    several = len({each.workspace.id for each in found}) > 1
    names = Counter((each.category, each.name) for each in found)
    lines = [f"{text!r} may mean one of these; say which key:"]
    for each in found:
        place = f" -w {each.workspace.slug}" if several else ""
        is_alone = names[each.category, each.name] == 1 or each.url is None
        name = on_one_line((each.name if is_alone else each.url) or "")
        lines.append(f"  {on_one_line(each.key)}{place}  {each.category.replace('_', ' ')} {name}")
    if len(found) == MOST_CANDIDATES:
        lines.append("  and maybe more")
    return Failure("\n".join(lines))


def _listed(workspaces: Sequence[Workspace]) -> str:
    slugs = [each.slug for each in workspaces]
    names = [
        each.slug if slugs.count(each.slug) == 1 else each.full_name for each in workspaces[:10]
    ]
    return " or ".join(names) + (" ..." if len(workspaces) > 10 else "")
