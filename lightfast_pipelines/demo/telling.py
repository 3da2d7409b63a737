"""What the demo shows at its end: the memory of one workspace, for a person to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lightfast_pipelines.cli.console import on_one_line

if TYPE_CHECKING:
    from rich.console import Console

    from lightfast_pipelines.cli.stack.processes import Stack
    from lightfast_pipelines.demo.command import Played
    from lightfast_pipelines.store.database import Connection

TITLES_A_DAY = 5
WIDTH = 110


def print_account(conn: Connection, played: Played, stack: Stack) -> None:
    """Everything to stdout; needs the pipeline's or the analyst's rights."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    workspace = played.workspace.id
    _received(console, played)
    _changed(console, conn, workspace)
    _people(console, conn, workspace)
    _fixes(console, conn, workspace)
    _states(console, conn, played)
    _clusters(console, conn, workspace)
    _chain(console, conn, played)
    _where(console, played, stack)
    conn.rollback()


def _table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        header_style="dim",
    )
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else on_one_line(str(cell))) for cell in row))
    console.print()
    console.print(table)


def _received(console: Console, played: Played) -> None:
    stored = [scene for scene in played.stage.scenes if scene.door == "file"]
    fates = Counter(played.fates.get(scene.delivery_id, "not stored") for scene in stored)
    of_files = ", ".join(f"{count} {fate}" for fate, count in sorted(fates.items()))
    rows: list[Sequence[object]] = [
        ("the days before", "all four", f"{len(stored)} lines", "ingested", of_files)
    ]
    for scene, status, repeated in played.answers:
        answer = {
            200: "200 accepted",
            400: "400 refused: not JSON",
            401: "401 refused: time" if scene.trick == "stale" else "401 refused: signature",
        }.get(status, str(status))
        fate = "not stored" if status != 200 else played.fates.get(scene.delivery_id, "not stored")
        rows.append(
            (
                scene.name,
                scene.provider,
                scene.event,
                f"{answer}{' (known)' if repeated else ''}",
                fate,
            )
        )
    _table(
        console,
        "What was accepted and what was refused",
        ("delivery", "from", "event", "answer", "became"),
        rows,
    )


def _changed(console: Console, conn: Connection, workspace: int) -> None:
    found = conn.execute(
        """
        SELECT (occurred_at AT TIME ZONE 'UTC')::date, title, source_type
        FROM lightfast.observations WHERE workspace_id = %s
        ORDER BY 1, significance_score DESC, occurred_at, external_id
        """,
        (workspace,),
    ).fetchall()
    days: dict[object, list[tuple[str, str]]] = {}
    for day, title, kind in found:
        days.setdefault(day, []).append((title, kind))
    rows: list[Sequence[object]] = []
    for day, items in days.items():
        shown = items[:TITLES_A_DAY]
        rest = f"and {len(items) - len(shown)} more" if len(items) > len(shown) else ""
        rows.append(
            (
                day,
                len(items),
                "\n".join([*(title for title, _ in shown), *([rest] if rest else [])]),
            )
        )
    _table(
        console, "What changed, the most telling of each day", ("day", "n", "observations"), rows
    )


def _people(console: Console, conn: Connection, workspace: int) -> None:
    found = conn.execute(
        """
        SELECT a.display_name, a.kind, o.source_type, count(*)::int
        FROM lightfast.observations o
        JOIN lightfast.observation_people p ON p.observation_id = o.id
        JOIN lightfast.actors a ON a.id = p.actor_id
        WHERE o.workspace_id = %s
        GROUP BY a.id, 1, 2, 3 ORDER BY 1, 4 DESC, 3
        """,
        (workspace,),
    ).fetchall()
    people: dict[tuple[str, str], list[str]] = {}
    for name, kind, what, count in found:
        people.setdefault((name, kind), []).append(f"{count} {what}")
    rows = [(name, kind, ", ".join(deeds)) for (name, kind), deeds in people.items()]
    _table(console, "Who did what", ("who", "kind", "did"), rows)
    console.print(
        "Priya's commits carry an address that GitHub does not vouch for: anyone can write one, so "
        "they are not taken for hers. Vercel's webhooks name an account by its number alone.",
        style="dim",
    )


def _fixes(console: Console, conn: Connection, workspace: int) -> None:
    found = conn.execute(
        """
        SELECT pull.value, doer.display_name, issue.value, state.state_value
        FROM lightfast.relationships r
        JOIN lightfast.entities pull ON pull.id = r.subject_id AND pull.category = 'pull_request'
        JOIN lightfast.entities issue ON issue.id = r.object_id
        JOIN lightfast.temporal_states merged
          ON merged.workspace_id = r.workspace_id AND merged.entity_id = pull.key
          AND merged.state_type = 'status' AND merged.is_current
          AND merged.state_value = 'merged'
        LEFT JOIN lightfast.actor_identities i ON i.id = merged.changed_by_identity_id
        LEFT JOIN lightfast.actors doer ON doer.id = i.actor_id
        LEFT JOIN lightfast.temporal_states state
          ON state.workspace_id = r.workspace_id AND state.entity_id = issue.key
          AND state.state_type = 'status' AND state.is_current
        WHERE r.workspace_id = %s AND r.type = 'fixes'
        ORDER BY pull.key, issue.key
        """,
        (workspace,),
    ).fetchall()
    _table(
        console,
        "Which pull request fixed which issue",
        ("pull request", "merged by", "issue", "which is"),
        found,
    )


def _states(console: Console, conn: Connection, played: Played) -> None:
    from lightfast_pipelines.domain import keys
    from lightfast_pipelines.store.states import states_at

    stage = played.stage
    key = keys.github_pull_request(stage.shop.id, 43)
    rows: list[Sequence[object]] = []
    for at in (stage.at(6, "20:00"), stage.at(5, "20:00"), stage.at(3, "20:00")):
        held: list[dict[str, Any]] = states_at(conn, key, at, None, played.workspace)
        for row in held:
            if row["state"] == "status":
                since = datetime.fromisoformat(str(row["valid_from"]))
                rows.append(
                    (
                        f"{at:%d %b %H:%M}",
                        row["value"],
                        f"since {since:%d %b %H:%M}, by {row['changed_by']}",
                    )
                )
    _table(console, f"Pull request #43 at three moments ({key})", ("at (UTC)", "status", ""), rows)


def _clusters(console: Console, conn: Connection, workspace: int) -> None:
    found = conn.execute(
        """
        SELECT topic_label, observation_count, first_observation_at, last_observation_at,
               array_to_string(keywords[1:5], ', ')
        FROM lightfast.clusters WHERE workspace_id = %s
        ORDER BY observation_count DESC, id LIMIT 5
        """,
        (workspace,),
    ).fetchall()
    rows = [
        (label, count, f"{first:%d %b} to {last:%d %b}", words)
        for label, count, first, last, words in found
    ]
    _table(console, "The largest clusters", ("about", "n", "days", "words"), rows)


def _chain(console: Console, conn: Connection, played: Played) -> None:
    """Read from relationships alone: nothing here knows the story."""
    from lightfast_pipelines.cli.chain import chain_rows
    from lightfast_pipelines.cli.questions import print_why
    from lightfast_pipelines.store import chain
    from lightfast_pipelines.store.why import explain

    workspace = played.workspace.id
    alert = chain.last_alert(conn, workspace)
    if alert is None:
        return
    links = chain.walk(conn, workspace, alert, chain.TO_THE_CAUSE)
    _table(console, "From the alert to the change that caused it", ("",) * 4, chain_rows(links))
    trouble = next((link.key for link in links if link.depth == 1), None)
    if trouble is None:
        return
    ended = chain.walk(conn, workspace, trouble, chain.TO_THE_END)
    _table(console, "What put an end to it", ("",) * 4, chain_rows(ended))
    key = chain.cause_stated_by(conn, workspace, trouble)
    if key is not None:
        console.print()
        console.print(f"lightfast why '{on_one_line(key)}'", style="bold", markup=False)
        print_why(explain(conn, key, played.workspace))


def _where(console: Console, played: Played, stack: Stack) -> None:
    from lightfast_pipelines.domain import keys

    key = keys.github_pull_request(played.stage.shop.id, 51)
    console.print()
    console.print("Where to look", style="bold")
    console.print(f"Dagster       {stack.dagster_url}")
    console.print(f"receiver      {stack.receiver_url}/webhooks/PROVIDER")
    console.print("SQL           lightfast db psql")
    console.print(f"why, and then lightfast why '{key}'")
    console.print(f"              lightfast state '{key}' --workspace {played.workspace.slug}")
