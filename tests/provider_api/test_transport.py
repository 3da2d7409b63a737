"""The HTTP client for the providers' APIs."""

from __future__ import annotations

import pytest

from lightfast_pipelines.provider_api.transport import open_http_client
from tests.backfill.plain import PlainApi
from tests.servers.serving import serve


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_sees_no_credential(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serve(PlainApi()) as proxy, serve(PlainApi(1)) as server:
        monkeypatch.setenv(name, proxy.url)
        with open_http_client(5.0) as http:
            headers = {"Authorization": "Bearer live-token"}
            answer = http.get(f"{server.url}/items?size=1&offset=0", headers=headers)
        assert answer.json()["total"] == 1
        assert proxy.count() == 0
