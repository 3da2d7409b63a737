"""What the demo shows at the end: the contents of one workspace, for a person to read."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from lightfast_pipelines.cli.console import on_one_line

if TYPE_CHECKING:
    from rich.console import Console

    from lightfast_pipelines.cli.stack.processes import Stack
    from lightfast_pipelines.demo.playing import Played
    from lightfast_pipelines.people.review_list import ReviewedPair
    from lightfast_pipelines.store.database import Connection

WIDTH = 110

_CHANGED = (
    "What changed, the most significant of each day",
    ("day", "n", "observations"),
    """
    SELECT day, count(*), (array_agg(title ORDER BY rank))[1:5]
      || CASE WHEN count(*) > 5 THEN ARRAY[format('and %%s more', count(*) - 5)] ELSE '{}' END
    FROM (
      SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, title,
             row_number() OVER (ORDER BY significance_score DESC, occurred_at, external_id) AS rank
      FROM lightfast.observations WHERE workspace_id = %s
    ) ranked
    GROUP BY day ORDER BY day
    """,
)
_PEOPLE = (
    "Who did what",
    ("who", "known at", "did"),
    """
    SELECT name || CASE WHEN kind = 'bot' THEN ' (bot)' ELSE '' END, places,
           string_agg(format('%%s %%s', count, source_type), ', '
                                  ORDER BY count DESC, source_type)
    FROM (
      SELECT a.id, a.display_name AS name, a.kind, o.source_type, count(*), (
        SELECT string_agg(DISTINCT CASE i.source WHEN 'git' THEN 'commits' ELSE i.source END, ', ')
        FROM lightfast.actor_identities i WHERE i.actor_id = a.id
      ) AS places
      FROM lightfast.observations o
      JOIN lightfast.observation_people p ON p.observation_id = o.id
      JOIN lightfast.actors a ON a.id = p.actor_id
      WHERE o.workspace_id = %s
      GROUP BY 1, 2, 3, 4
    ) counted
    GROUP BY id, name, kind, places ORDER BY lower(name), places
    """,
)
_KEPT_APART = (
    "Why somebody appears more than once: no provider vouches that these are one person, and anybody "
    "can write a name into a commit. These commands join them; a decision outlives a rebuild, and "
    "`lightfast people undo` takes it back."
)
_MOST_PAIRS = 10
_FIXES = (
    "Which pull request fixed which issue",
    ("pull request", "merged by", "issue", "which is"),
    """
    SELECT pull.value, doer.display_name, issue.value, state.state_value
    FROM lightfast.relationships r
    JOIN lightfast.entities pull ON pull.id = r.subject_id AND pull.category = 'pull_request'
    JOIN lightfast.entities issue ON issue.id = r.object_id
    JOIN lightfast.temporal_states merged
      ON merged.workspace_id = r.workspace_id AND merged.entity_id = pull.key
      AND merged.state_type = 'status' AND merged.is_current AND merged.state_value = 'merged'
    LEFT JOIN lightfast.actor_identities i ON i.id = merged.changed_by_identity_id
    LEFT JOIN lightfast.actors doer ON doer.id = i.actor_id
    LEFT JOIN lightfast.temporal_states state
      ON state.workspace_id = r.workspace_id AND state.entity_id = issue.key
      AND state.state_type = 'status' AND state.is_current
    WHERE r.workspace_id = %s AND r.type = 'fixes'
    ORDER BY pull.key, issue.key
    """,
)
_CLUSTERS = (
    "The largest clusters",
    ("about", "n", "days", "words"),
    """
    SELECT topic_label, observation_count,
           to_char(first_observation_at AT TIME ZONE 'UTC', 'DD Mon') || ' to '
             || to_char(last_observation_at AT TIME ZONE 'UTC', 'DD Mon'),
           array_to_string(keywords[1:5], ', ')
    FROM lightfast.clusters WHERE workspace_id = %s
    ORDER BY observation_count DESC, id LIMIT 5
    """,
)


def print_account(conn: Connection, played: Played, stack: Stack) -> None:
    """Prints everything to stdout; needs the rights of the pipeline or the analyst."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    _received(console, played)
    for title, columns, query in (_CHANGED, _PEOPLE, _FIXES, _CLUSTERS):
        _table(console, title, columns, conn.execute(query, (played.workspace.id,)).fetchall())
        if query == _PEOPLE[2]:
            kept_apart(console, conn, played.workspace.org_id)
    _states(console, conn, played)
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
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print()
    console.print(table)


def _cell(value: object) -> str:
    """A list has a line for each of its items."""
    lines = value if isinstance(value, list) else [value]
    return "\n".join("" if line is None else on_one_line(str(line)) for line in lines)


def kept_apart(console: Console, conn: Connection, org_id: str) -> None:
    """The doubtful pairs, each with the command that joins them on a line of its own, to be pasted."""
    from lightfast_pipelines.people.review_list import read_review_list

    pairs = _needed(read_review_list(conn, org_id))[:_MOST_PAIRS]
    if not pairs:
        return
    console.print()
    console.print(_KEPT_APART, style="dim")
    for pair in sorted(pairs, key=lambda pair: pair.left.actor_name or ""):
        identities = f"{pair.left.actor_name}: {pair.left.key} and {pair.right.key}"
        reasons = "; ".join(str(each["detail"]) for each in pair.evidence)
        console.print(on_one_line(f"{identities} ({reasons})"), markup=False)
        command = f"    lightfast people accept {pair.id} --org {shlex.quote(org_id)}"
        console.print(command, style="bold", markup=False, soft_wrap=True)


def _needed(pairs: Sequence[ReviewedPair]) -> list[ReviewedPair]:
    """The pairs that join all of them: where A is B, and B is C, nobody has to say that A is C."""
    joined: dict[str | None, set[str | None]] = {}
    needed = []
    for pair in pairs:
        left = joined.get(pair.left.actor_id, {pair.left.actor_id})
        right = joined.get(pair.right.actor_id, {pair.right.actor_id})
        if left.isdisjoint(right):
            needed.append(pair)
            joined.update(dict.fromkeys(left | right, left | right))
    return needed


def _received(console: Console, played: Played) -> None:
    from_files = [scene for scene in played.stage.scenes if scene.door == "file"]
    fates = Counter(played.fates.get(scene.delivery_id, "not stored") for scene in from_files)
    became = ", ".join(f"{count} {fate}" for fate, count in sorted(fates.items()))
    rows = [("the days before", "all four", f"{len(from_files)} lines", "ingested", became)]
    for scene, status, repeated in played.answers:
        answer = {
            200: "200 accepted (known)" if repeated else "200 accepted",
            400: "400 refused: not JSON",
            401: "401 refused: time" if scene.trick == "stale" else "401 refused: signature",
        }.get(status, str(status))
        fate = "not stored" if status != 200 else played.fates.get(scene.delivery_id, "not stored")
        rows.append((scene.name, scene.provider, scene.event, answer, fate))
    columns = ("delivery", "from", "event", "answer", "became")
    _table(console, "What was accepted and what was refused", columns, rows)


def _states(console: Console, conn: Connection, played: Played) -> None:
    from lightfast_pipelines.domain import keys
    from lightfast_pipelines.store.states import states_at

    stage = played.stage
    key = keys.github_pull_request(stage.shop.id, 43)
    rows: list[Sequence[object]] = []
    for at in (stage.at(6, "20:00"), stage.at(5, "20:00"), stage.at(3, "20:00")):
        for row in states_at(conn, key, at, None, played.workspace):
            if row["state"] == "status":
                since = datetime.fromisoformat(str(row["valid_from"]))
                words = f"since {since:%d %b %H:%M}, by {row['changed_by']}"
                rows.append((f"{at:%d %b %H:%M}", row["value"], words))
    _table(console, f"Pull request #43 at three moments ({key})", ("at (UTC)", "status", ""), rows)


def _chain(console: Console, conn: Connection, played: Played) -> None:
    """Follows only relationships: nothing here knows the story."""
    from lightfast_pipelines.cli.chain import chain_rows, read_chain
    from lightfast_pipelines.cli.questions import print_sections
    from lightfast_pipelines.store import chain
    from lightfast_pipelines.store.why import explain

    workspace = played.workspace.id
    alert = chain.last_alert(conn, workspace)
    if alert is None:
        return
    causes, ends = read_chain(conn, workspace, alert)
    _table(console, "From the alert to the change that caused it", ("",) * 4, chain_rows(causes))
    _table(console, "What put an end to it", ("",) * 4, chain_rows(ends))
    key = chain.cause_stated_by(conn, workspace, ends[0].key)
    if key is not None:
        console.print()
        console.print(f"lightfast why '{on_one_line(key)}'", style="bold", markup=False)
        print_sections(explain(conn, key, played.workspace))


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
