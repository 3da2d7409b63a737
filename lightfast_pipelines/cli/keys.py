"""`lightfast keys`: which keys seal the secrets, and a rotation to the newest key."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from lightfast_pipelines.cli.console import meter, print_json, print_result, print_table
from lightfast_pipelines.cli.credentials import encryption_keys
from lightfast_pipelines.cli.opening import command_connection, operator_name
from lightfast_pipelines.cli.options import AsJson
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.rotation import Rotation
    from lightfast_pipelines.store.sealed import Keys

keys_app = typer.Typer(
    help="Keys of ENCRYPTION_KEY, which seal credentials and secrets.", no_args_is_help=True
)


@keys_app.command("rotate")
def rotate(as_json: AsJson = False) -> None:
    """Seal everything with the first key of ENCRYPTION_KEY.

    Set ENCRYPTION_KEY to NEW,OLD and restart all processes first, so that each can open both. Once
    everything is sealed with the new key, the old one can be removed. If a rotation is interrupted,
    the next one continues.
    """
    done, left = rotate_secrets()
    rest = f"{left:,} are still sealed with another key" if left else "older keys can go"
    result = {"sealed": done.sealed, "left": left, "problems": done.problems}
    print_result(as_json, result, f"{done.sealed:,} sealed under the first key; {rest}")
    if done.problems:
        raise Failure(
            f"{len(done.problems)} cannot be opened: {'; '.join(done.problems[:3])}; put the key that "
            "sealed them at the end of ENCRYPTION_KEY, or set them again"
        )


@keys_app.command("status")
def status(as_json: AsJson = False) -> None:
    """Show how much is sealed with each key."""
    from lightfast_pipelines.store.rotation import count_by_key

    keys = encryption_keys()
    with command_connection() as conn:
        counts = count_by_key(conn)
    if as_json:
        print_json([{**asdict(count), "state": _state(keys, count.key_id)} for count in counts])
        return
    rows = [(c.key_id, _state(keys, c.key_id), c.credentials, c.secrets) for c in counts]
    print_table(("KEY", "STATE", "CREDENTIALS", "SECRETS"), rows)


def rotate_secrets() -> tuple[Rotation, int]:
    """Seals everything with the first key; returns what was done, and how many are left under others."""
    from lightfast_pipelines.store import activity, rotation

    keys = encryption_keys()
    with command_connection() as conn:
        total = rotation.to_rotate(conn, keys)
        conn.rollback()
        with meter("sealing", total=total, unit="secrets") as bar:
            done = rotation.rotate(conn, keys, on_rows=bar.advance)
        left = rotation.to_rotate(conn, keys)
        activity.record(
            conn,
            "keys.rotated",
            operator_name(),
            f"{done.sealed} sealed under key {keys.first_id}, {left} left under others",
            detail={"key_id": keys.first_id, "sealed": done.sealed, "left": left},
        )
        conn.commit()
    return done, left


def _state(keys: Keys, key_id: str) -> str:
    if key_id == keys.first_id:
        return "first"
    return "live" if key_id in keys.ids else "missing from ENCRYPTION_KEY"
