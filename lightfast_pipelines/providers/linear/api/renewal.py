"""Renews Linear's OAuth tokens. Format: linear.app/developers/oauth-2-0-authentication."""

from __future__ import annotations

from datetime import datetime, timedelta

from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    AppKeys,
    Call,
    Credential,
    Renewed,
    Verdict,
    outcome_of_status,
)
from lightfast_pipelines.providers.fields import name_of, number_in, text

_PATH = "oauth/token"
# Linear refuses a spent refresh token, or a wrong client secret, with one of these.
_OWN_STATUSES = dict.fromkeys((400, 403), AnswerOutcome.CREDENTIAL)


def is_renewal(call: Call) -> bool:
    return call.path.endswith(_PATH)


def request(credential: Credential, keys: AppKeys) -> Call | None:
    """None for a personal key and for a token without a refresh token. Raises ValueError."""
    if credential.kind != "oauth" or not credential.refresh_token:
        return None
    settings = {"LINEAR_CLIENT_ID": keys.client_id, "LINEAR_CLIENT_SECRET": keys.client_secret}
    missing = [name for name, value in settings.items() if not value]
    if missing:
        raise ValueError(f"to renew Linear's token, set {' and '.join(missing)}")
    form = {
        "grant_type": "refresh_token",
        "refresh_token": credential.refresh_token,
        "client_id": str(keys.client_id),
        "client_secret": str(keys.client_secret),
    }
    return Call(_PATH, "POST", form=form, pool="requests")


def renewed(answer: Answer, now: datetime) -> Renewed:
    """Linear issues a new refresh token each time; the old one is spent. Raises ValueError."""
    data = answer.data if isinstance(answer.data, dict) else {}
    token, seconds = text(data, "access_token"), data.get("expires_in")
    if token is None:
        raise ValueError("Linear's answer holds no access_token: connect the account again")
    expires_at = None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        expires_at = now + timedelta(seconds=seconds)
    return Renewed(token, text(data, "refresh_token"), expires_at)


def verdict(answer: Answer) -> Verdict:
    """What an answer to `request` means."""
    data = answer.data if isinstance(answer.data, dict) else {}
    if answer.status == 200:
        if text(data, "access_token"):
            return Verdict(AnswerOutcome.OK)
        message = "Linear's answer to the renewal of a token holds no token"
        return Verdict(AnswerOutcome.MALFORMED, message)
    outcome = outcome_of_status(answer.status, _OWN_STATUSES)
    if outcome is AnswerOutcome.CREDENTIAL:
        why = name_of(data, "error") or str(answer.status)
        return Verdict(outcome, f"Linear does not renew the token ({why}): connect it again")
    return Verdict(
        outcome,
        f"Linear answered {answer.status} to the renewal of a token",
        number_in(answer.headers, "retry-after"),
        answer.headers.get("location"),
    )
