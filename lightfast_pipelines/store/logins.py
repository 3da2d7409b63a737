"""The logins of the roles on a server of your own, and which of them each process may see.

`database.py` makes connections, `role_passwords.py` makes passwords.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lightfast_pipelines.settings.addresses import user_of

Role = Literal["receiver", "pipeline", "analyst", "migrator"]

OWNER_SETTING = "LIGHTFAST_DATABASE_URL"
SETTINGS: Mapping[str, str] = {
    "receiver": "LIGHTFAST_RECEIVER_DATABASE_URL",
    "pipeline": "LIGHTFAST_PIPELINE_DATABASE_URL",
    "analyst": "LIGHTFAST_ANALYST_DATABASE_URL",
    "migrator": OWNER_SETTING,
}
# The receiver asks no model, so a fault in it can leak no key of one.
_KEYS_OF_SERVICES = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "PINECONE_API_KEY")
_DAGSTER_SETTINGS = ("LIGHTFAST_DAGSTER_DATABASE_URL", "LIGHTFAST_DAGSTER_URL")


class LoginError(RuntimeError):
    """A login is missing or is the wrong one; the message says what to do and holds no address."""


def no_login(role: Role) -> LoginError:
    """The error for a role that would need somebody else's password."""
    if role == "migrator":
        return LoginError(
            f"this needs the owner's login, and {OWNER_SETTING} is not set: run it where it is"
        )
    return LoginError(
        f"the role {role} has no login of its own, and the owner's is not given out for it: "
        f"`lightfast db roles` (as the owner) makes logins, and {SETTINGS[role]} says which one to use"
    )


def check_logins(owner: str | None, own: Mapping[Role, str]) -> None:
    """Raises LoginError if the login of a role is the owner's."""
    for role, address in own.items():
        if owner is not None and user_of(address) == user_of(owner):
            raise LoginError(
                f"{SETTINGS[role]} logs in as the user of {OWNER_SETTING}, who owns the database: "
                "give it a login of its own (`lightfast db roles` makes one)"
            )


def environment_of(role: Role, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that works as `role`: without the other roles' logins, with the
    owner's login only if the role has none of its own, and for the receiver without keys of models."""
    own = SETTINGS[role]
    unneeded = {name for name in SETTINGS.values() if name != own}
    if not environment.get(own):
        unneeded.discard(OWNER_SETTING)
    if role == "receiver":
        unneeded.update(_DAGSTER_SETTINGS, _KEYS_OF_SERVICES)
    return {name: value for name, value in environment.items() if name not in unneeded}
