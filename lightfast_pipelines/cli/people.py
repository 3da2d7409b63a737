"""`lightfast people`: who is who, and what a person decides about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightfast_pipelines.cli.console import on_one_line, print_json, print_table, say, show
from lightfast_pipelines.cli.opening import command_connection, operator_name
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.people.decisions import PairVerdict, RecordedDecision
    from lightfast_pipelines.people.identities_named import KnownIdentity
    from lightfast_pipelines.people.review_list import ReviewedPair
    from lightfast_pipelines.store.database import Connection

people_app = typer.Typer(
    help="Who is who: identities that are one person, and pairs that are doubtful.",
    no_args_is_help=True,
)

_Org = Annotated[
    str | None,
    typer.Option("--org", help="Organisation; default: the only one, or the one named `default`."),
]
_First = Annotated[
    str,
    typer.Argument(
        metavar="PAIR|IDENTITY", help="A pair's id, or a key (github:123), login, address or name."
    ),
]
_Second = Annotated[
    str | None, typer.Argument(metavar="IDENTITY", help="The other identity, if no pair is given.")
]
_By = Annotated[
    str | None, typer.Option("--by", help="Who decides; default: the user of this machine.")
]
_Note = Annotated[str | None, typer.Option("--note", help="Why, for those who read it later.")]

_KINDS = {
    "decided": "decided by a person",
    "verified": "a provider vouches for it",
    "claimed": "claimed, not verified",
}
_PAIR_COLUMNS = ("PAIR", "SURE", "IDENTITY", "AND", "WHY")


@people_app.command("review")
def review(
    org: _Org = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List pairs of identities that may be one person, the most certain first."""
    from lightfast_pipelines.people.review_list import count_doubtful, read_review_list

    with command_connection() as conn:
        organisation = _organisation(conn, org)
        pairs = read_review_list(conn, organisation, limit=limit)
        total = count_doubtful(conn, organisation)
    if as_json:
        print_json([asdict(pair) for pair in pairs])
        return
    if not pairs:
        say(f"nothing is doubtful in organisation {organisation}")
        return
    print_table(_PAIR_COLUMNS, [_pair_row(pair) for pair in pairs])
    if total > len(pairs):
        say(f"{total - len(pairs):,} more: --limit {total}")
    say(
        f"`lightfast people accept PAIR --org {organisation}` joins a pair, "
        "`reject` takes it off the list"
    )


@people_app.command("accept")
def accept(
    first: _First,
    second: _Second = None,
    org: _Org = None,
    by: _By = None,
    note: _Note = None,
    as_json: AsJson = False,
) -> None:
    """Decide that two identities are one person. The decision outlives a rebuild."""
    _decide("accept", first, second, org=org, by=by, note=note, as_json=as_json)


@people_app.command("reject")
def reject(
    first: _First,
    second: _Second = None,
    org: _Org = None,
    by: _By = None,
    note: _Note = None,
    as_json: AsJson = False,
) -> None:
    """Decide that two identities are two people, whatever the evidence."""
    _decide("reject", first, second, org=org, by=by, note=note, as_json=as_json)


@people_app.command("undo")
def undo(
    first: _First,
    second: _Second = None,
    org: _Org = None,
    by: _By = None,
    note: _Note = None,
    as_json: AsJson = False,
) -> None:
    """Take two identities of one person apart again, whether a person or a rule had joined them.

    They are never joined again, unless you accept the pair. `lightfast people show` lists the pairs.
    """
    _decide("undo", first, second, org=org, by=by, note=note, as_json=as_json)


@people_app.command("show")
def show_people(
    name: Annotated[
        str, typer.Argument(help="A name or a part of it, a login, an address, or a key.")
    ],
    org: _Org = None,
    as_json: AsJson = False,
) -> None:
    """Show the identities of a person, why each belongs, and what was decided about them.

    If several people fit, all are shown.
    """
    from lightfast_pipelines.people.decisions import decision_history
    from lightfast_pipelines.people.identities_named import identities_named, identities_of_actors
    from lightfast_pipelines.people.review_list import read_review_list

    if not name.strip():
        raise typer.BadParameter("a name needs visible characters")
    with command_connection() as conn:
        organisation = _organisation(conn, org)
        fitting = identities_named(conn, organisation, name, partly=True)
        actors = list(dict.fromkeys(each.actor_id for each in fitting if each.actor_id))
        identities = identities_of_actors(conn, organisation, actors)
        identities += [each for each in fitting if each.actor_id is None]
        history = decision_history(conn, organisation, [each.key for each in identities])
        doubtful = read_review_list(conn, organisation, actors=actors)
    if not identities:
        raise Failure(f"nobody in organisation {organisation} is called {name!r}")
    people: dict[str, list[KnownIdentity]] = {}
    for identity in identities:
        people.setdefault(identity.actor_id or identity.key, []).append(identity)
    if as_json:
        print_json(
            {
                "people": [_person(organisation, members) for members in people.values()],
                "decisions": [asdict(each) for each in history],
                "doubtful": [asdict(pair) for pair in doubtful],
            }
        )
        return
    for members in people.values():
        _show_person(organisation, members)
    _show_decisions(history)
    if doubtful:
        show("\nmay be the same person:")
        print_table(_PAIR_COLUMNS, [_pair_row(pair) for pair in doubtful])


def _organisation(conn: Connection, given: str | None) -> str:
    from lightfast_pipelines.store.linked_resources import list_workspaces

    names = sorted({workspace.org_id for workspace in list_workspaces(conn)})
    if given is not None:
        if given in names:
            return given
        raise Failure(f"no organisation {given!r}; there are: {', '.join(names) or 'none'}")
    if len(names) == 1:
        return names[0]
    if "default" in names or not names:
        return "default"
    raise Failure(f"there are several organisations: give --org ({', '.join(names)})")


def _decide(
    verdict: PairVerdict,
    first: str,
    second: str | None,
    *,
    org: str | None,
    by: str | None,
    note: str | None,
    as_json: bool,
) -> None:
    from lightfast_pipelines.people.deciding import decide_pair, is_pair_id, pair_named
    from lightfast_pipelines.store.locks import job_lock

    words = [first] if second is None else [first, second]
    if not all(each.strip() for each in words) or (second is None and not is_pair_id(first)):
        raise typer.BadParameter(
            "give the id of a pair, as `lightfast people review` lists it, or two identities"
        )
    with command_connection() as conn, job_lock(conn, "consolidation", wait=True, waits=say):
        organisation = _organisation(conn, org)
        pair = pair_named(conn, organisation, words, exact=verdict == "undo")
        decided = decide_pair(
            conn, pair, verdict, by=by or operator_name(), now=datetime.now(UTC), note=note
        )
        conn.commit()
    if as_json:
        print_json(asdict(decided))
        return
    if verdict == "accept":
        text = f"one person, {decided.left.actor_name}: {pair.left_key} and {pair.right_key}"
    else:
        text = f"two people from now on: {pair.left_key} and {pair.right_key}"
    show(on_one_line(text))
    if decided.moved:
        moved = "1 identity has" if decided.moved == 1 else f"{decided.moved} identities have"
        say(
            f"{moved} another actor now; clusters and profiles follow with the next run, "
            "or with `lightfast process`"
        )


def _pair_row(pair: ReviewedPair) -> tuple[str, str, str, str, str]:
    return (
        pair.id,
        f"{pair.confidence:.2f}",
        _recognisable(pair.left),
        _recognisable(pair.right),
        _reasons(pair.evidence),
    )


def _recognisable(identity: KnownIdentity) -> str:
    """The key, and what else tells a person who that is."""
    known = [identity.login, identity.name, identity.email]
    if identity.email and identity.email_verified:
        known[2] = f"{identity.email}, verified"
    more = [each for each in known if each and each not in identity.key]
    if identity.actor_name and not any(
        identity.actor_name in each for each in [*more, identity.key]
    ):
        more.append(f"shown as {identity.actor_name}")
    return f"{identity.key} ({', '.join(more)})" if more else identity.key


def _reasons(evidence: Sequence[dict[str, Any]]) -> str:
    return "; ".join(
        f"{each['detail']} ({_KINDS[each['kind']]}, {each['confidence']:.2f})" for each in evidence
    )


def _pair_of_join(organisation: str, identity: KnownIdentity) -> str | None:
    from lightfast_pipelines.people.decisions import pair_of

    if identity.joined_to is None:
        return None
    return pair_of(organisation, identity.key, identity.joined_to).id


def _person(organisation: str, members: Sequence[KnownIdentity]) -> dict[str, Any]:
    of_identity = ("actor_id", "actor_name", "actor_kind")
    return {
        "actor_id": members[0].actor_id,
        "name": members[0].actor_name,
        "kind": members[0].actor_kind,
        "identities": [
            {
                **{k: v for k, v in asdict(member).items() if k not in of_identity},
                "pair": _pair_of_join(organisation, member),
            }
            for member in members
        ],
    }


def _show_person(organisation: str, members: Sequence[KnownIdentity]) -> None:
    first = members[0]
    count = f"{len(members)} identities" if len(members) > 1 else "1 identity"
    name = on_one_line(first.actor_name or first.key)
    show(f"{name} ({first.actor_kind or 'not decided yet'}), {count}")
    print_table(
        ("IDENTITY", "JOINED TO", "WHY", "PAIR"),
        [
            (
                _recognisable(member),
                member.joined_to,
                _reasons(member.evidence) or "nothing joins it to another identity",
                _pair_of_join(organisation, member),
            )
            for member in members
        ],
    )


def _show_decisions(history: Sequence[RecordedDecision]) -> None:
    if history:
        show("\ndecisions, the latest first:")
        print_table(
            ("PAIR", "WHEN", "BY", "VERDICT", "IDENTITY", "AND", "NOTE"),
            [
                (
                    each.pair_id,
                    each.decided_at,
                    each.decided_by,
                    each.verdict if each.is_latest else f"{each.verdict} (replaced)",
                    each.left_key,
                    each.right_key,
                    each.note,
                )
                for each in history
            ],
        )
