"""`lightfast keys`: under which keys secrets are sealed, and sealing them under the newest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from lightfast_pipelines.cli.console import AsJson, meter, print_json, print_table, show
from lightfast_pipelines.cli.credentials import the_keys
from lightfast_pipelines.cli.opening import a_connection, the_operator
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.rotation import Rotation
    from lightfast_pipelines.store.sealed import Keys

keys_app = typer.Typer(
    help="Keys of ENCRYPTION_KEY, which seal credentials and secrets.", no_args_is_help=True
)


@keys_app.command("rotate")
def rotate(as_json: AsJson = False) -> None:
    """Seal everything under the first of ENCRYPTION_KEY, while it is in use; older keys can go then.

    Set ENCRYPTION_KEY to NEW,OLD and restart what runs first, so that each process opens both. One
    that is broken off is gone on with by the next.
    """
    done, left = rotated()
    if as_json:
        print_json({"sealed": done.sealed, "left": left, "problems": done.problems})
    else:
        tail = f"; {left:,} are still sealed with another key" if left else "; older keys can go"
        show(f"{done.sealed:,} sealed under the first key{tail}")
    if done.problems:
        raise Failure(
            f"{len(done.problems)} cannot be opened: {'; '.join(done.problems[:3])}; put the key that "
            "sealed them at the end of ENCRYPTION_KEY, or give them anew"
        )


@keys_app.command("status")
def status(as_json: AsJson = False) -> None:
    """How much is sealed with which key: how far a rotation is."""
    from lightfast_pipelines.store.rotation import count_by_key

    keys = the_keys()
    with a_connection() as conn:
        found = count_by_key(conn)
    if as_json:
        print_json([{**asdict(one), "state": _state(keys, one.key_id)} for one in found])
        return
    rows = [(one.key_id, _state(keys, one.key_id), one.credentials, one.secrets) for one in found]
    print_table(("KEY", "STATE", "CREDENTIALS", "SECRETS"), rows)


def rotated() -> tuple[Rotation, int]:
    """Seals everything under the first key; what was done, and how many are left under others."""
    from lightfast_pipelines.store import activity, rotation

    keys = the_keys()
    with a_connection() as conn:
        total = rotation.to_rotate(conn, keys)
        conn.rollback()
        with meter("sealing", total=total, unit="secrets") as bar:
            done = rotation.rotate(conn, keys, on_rows=bar.advance)
        left = rotation.to_rotate(conn, keys)
        activity.record(
            conn,
            "keys.rotated",
            the_operator(),
            f"{done.sealed} sealed under key {keys.first_id}, {left} left under others",
            detail={"key_id": keys.first_id, "sealed": done.sealed, "left": left},
        )
        conn.commit()
    return done, left


def _state(keys: Keys, key_id: str) -> str:
    if key_id == keys.first_id:
        return "first"
    return "live" if key_id in keys.ids else "missing from ENCRYPTION_KEY"
