"""Questions to Dagster's webserver, by its GraphQL API."""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.stack.code_server import CODE_LOCATION
from lightfast_pipelines.cli.stack.local_client import local_client

_RELOAD = f"""
mutation {{
  reloadRepositoryLocation(repositoryLocationName: "{CODE_LOCATION}") {{ __typename }}
}}
"""
_UNFINISHED = """
{
  runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}, limit: 1) {
    ... on Runs { results { id } }
  }
}
"""
_HEALTH = """
{
  instance { daemonHealth { allDaemonStatuses { required healthy lastHeartbeatTime } } }
  workspaceOrError {
    ... on Workspace { locationEntries { locationOrLoadError { ... on PythonError { message } } } }
  }
}
"""


def reload_definitions(url: str) -> None:
    """Raises httpx.HTTPError."""
    _ask(url, _RELOAD)


def is_idle(url: str) -> bool:
    """Whether Dagster has no unfinished run; also true if it cannot be asked."""
    import httpx

    try:
        return not (_ask(url, _UNFINISHED).get("runsOrError") or {}).get("results")
    except httpx.HTTPError:
        return True


def daemon_works(url: str, since: float) -> bool:
    """Whether every required daemon has sent a heartbeat since then (Unix time)."""
    import httpx

    try:
        data = _ask(url, _HEALTH)
    except httpx.HTTPError:
        return False
    for entry in (data.get("workspaceOrError") or {}).get("locationEntries") or ():
        message = (entry.get("locationOrLoadError") or {}).get("message")
        if message:
            raise Failure(
                f"Dagster cannot load the code location: {str(message).strip().splitlines()[0]}"
            )
    statuses = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    return bool(statuses) and all(
        status["healthy"] and (status["lastHeartbeatTime"] or 0.0) >= since
        for status in statuses
        if status["required"]
    )


def _ask(url: str, query: str) -> dict[str, Any]:
    answer = local_client().post(f"{url}/graphql", json={"query": query}, timeout=10.0)
    answer.raise_for_status()
    data: dict[str, Any] = answer.json().get("data") or {}
    return data
