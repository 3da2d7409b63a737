"""Dagster's UI over real sockets: the webserver on a real instance, as `up` starts it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from lightfast_pipelines.cli.stack.addresses import free_port, open_ui_warning
from lightfast_pipelines.cli.stack.children import Children, StopRequest
from lightfast_pipelines.cli.stack.dagster_ui_guard import allowed_names, is_loopback
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.settings.addresses import host_names

ROOT = Path(__file__).resolve().parents[3]
FOREIGN = "http://evil.example"
NAMED = "dagster.acme.com"
CHANGE = "mutation { setNuxSeen }"
PROTOCOL = Subprotocol("graphql-ws")
SEEN = "{ shouldShowNux }"


@pytest.fixture(scope="module")
def ui(postgres: Lease, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a webserver without a code location, which would take long to load."""
    folder = tmp_path_factory.mktemp("ui")
    shutil.copy(ROOT / "dagster.yaml", folder)
    workspace = folder / "workspace.yaml"
    workspace.write_text('{"load_from": []}')
    port = free_port("127.0.0.1", 0, "UI", "LIGHTFAST_DAGSTER_PORT")
    url = postgres.url("dagster", "lightfast_migrator")
    environment = {
        **os.environ,
        "LIGHTFAST_HOME": str(folder),
        "LIGHTFAST_DAGSTER_NAMES": NAMED,
        "DAGSTER_HOME": str(folder),
        "LIGHTFAST_DAGSTER_URL": "postgresql+psycopg2://" + url.partition("://")[2],
    }
    children = Children(folder / "logs")
    children.start(
        "ui",
        [
            sys.executable,
            "-m",
            "lightfast_pipelines.cli.stack.dagster_ui",
            "-w",
            str(workspace),
            "-p",
            str(port),
        ],
        environment=environment,
        folder=folder,
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/server_info").is_success
        except httpx.HTTPError:
            return False

    children.wait_until("the UI", answers, stop=StopRequest(), timeout=120)
    yield address
    children.end()


def post(
    ui: str,
    body: str | bytes = json.dumps({"query": CHANGE}),
    path: str = "/graphql",
    **headers: str,
) -> httpx.Response:
    """A POST as the script of a page sends it; header names have `_` for `-`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(ui + path, content=body, headers={"content-type": "application/json", **sent})


def nothing_changed(ui: str) -> bool:
    return bool(post(ui, json.dumps({"query": SEEN})).json()["data"]["shouldShowNux"])


def test_a_mutation_in_an_address_is_always_refused(ui: str) -> None:
    for query in (
        CHANGE,
        "query a { shouldShowNux } mutation b { setNuxSeen }",
        "fragment f on Mutation { setNuxSeen } mutation { ...f }",
        "# a comment\nmutation{setNuxSeen}",
    ):
        answer = httpx.get(f"{ui}/graphql", params={"query": query, "operationName": "b"})
        assert answer.status_code == 405, query
    twice = httpx.get(f"{ui}/graphql", params=[("query", SEEN), ("query", CHANGE)])
    assert twice.status_code == 405
    assert httpx.get(f"{ui}/%67raphql", params={"query": CHANGE}).status_code == 405
    assert httpx.get(f"{ui}/graphql", params={"query": SEEN}).json()["data"]
    assert nothing_changed(ui)


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN,
        "null",
        "http://127.0.0.1:1",  # another program of this machine
        "http://localhost",
        "http://127.0.0.1.evil.example",
        "",
    ],
)
def test_a_script_of_another_site_changes_nothing(ui: str, origin: str) -> None:
    assert post(ui, Origin=origin).status_code == 403
    assert nothing_changed(ui)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "sent_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_a_form_of_another_site_is_refused_by_the_browsers_headers(
    ui: str, site: str, sent_type: str
) -> None:
    answer = post(ui, content_type=sent_type, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")
    assert answer.status_code == 403


def test_a_form_is_refused_without_headers_of_the_browser(ui: str) -> None:
    for sent_type in ("text/plain", "text/plain; application/json", "", "application/jsonp"):
        assert post(ui, content_type=sent_type).status_code == 415, sent_type
    bare = httpx.post(f"{ui}/graphql", params={"query": CHANGE})
    assert bare.status_code == 415
    assert nothing_changed(ui)


@pytest.mark.parametrize("door", ["asset_materialization", "asset_check", "asset_observation"])
def test_another_site_cannot_report_on_assets(ui: str, door: str) -> None:
    path = f"/report_{door}/planted?check_name=c&passed=true"
    assert post(ui, b"{}", path, Origin=FOREIGN).status_code == 403
    assert post(ui, b"", path, content_type="text/plain").status_code == 415
    assert post(ui, b"{}", path, Sec_Fetch_Site="cross-site").status_code == 403


def test_a_program_can_report_on_assets(ui: str) -> None:
    answer = post(ui, b"{}", "/report_asset_materialization/told/by/a/program")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.7", "[::2]:3000", ""],
)
@pytest.mark.parametrize(
    "path", ["/", "/graphql?query={shouldShowNux}", "/logs/a/b/c.err", "/server_info"]
)
def test_the_ui_does_not_answer_under_unknown_names(ui: str, host: str, path: str) -> None:
    assert httpx.get(ui + path, headers={"Host": host}).status_code == 400


def test_a_second_host_in_one_request_is_refused(ui: str) -> None:
    name, _, port = ui.removeprefix("http://").partition(":")
    with socket.create_connection((name, int(port))) as raw:
        raw.sendall(
            b"GET /server_info HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n"
            b"Connection: close\r\n\r\n"
        )
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400")


def test_a_proxy_that_passes_its_name_on_is_accepted(ui: str) -> None:
    answer = post(
        ui,
        json.dumps({"query": SEEN}),
        Host=NAMED,
        Origin=f"https://{NAMED}",
        Sec_Fetch_Site="same-origin",
    )
    assert answer.status_code == 200
    renamed = post(ui, Origin=f"https://{NAMED}")
    assert renamed.status_code == 403
    assert "pass on the Host" in renamed.text


def test_another_site_cannot_open_a_websocket(ui: str) -> None:
    address = ui.replace("http://", "ws://") + "/graphql"
    for origin in (FOREIGN, "null", "http://localhost:1"):
        with pytest.raises(InvalidStatus) as refused:
            connect(address, origin=Origin(origin), subprotocols=[PROTOCOL])
        assert refused.value.response.status_code == 403
    name, _, port = ui.removeprefix("http://").partition(":")
    rebound = socket.create_connection((name, int(port)))
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://evil.example:{port}/graphql", sock=rebound)
    assert refused.value.response.status_code == 400
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "websocket"}
    with pytest.raises(InvalidStatus), connect(address, additional_headers=headers):
        pass


def test_the_ui_opens_its_own_websocket(ui: str) -> None:
    with connect(
        ui.replace("http://", "ws://") + "/graphql",
        origin=Origin(ui),
        subprotocols=[PROTOCOL],
    ) as own:
        own.send('{"type": "connection_init"}')
        assert json.loads(own.recv(timeout=20)) == {"type": "connection_ack"}


def test_a_link_opens_a_page_but_a_frame_or_a_file_does_not(ui: str) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    page = {**link, "Sec-Fetch-Dest": "document"}
    opened = httpx.get(f"{ui}/runs", headers=page)
    assert opened.status_code == 200
    assert opened.headers["x-frame-options"] == "SAMEORIGIN"
    assert httpx.get(f"{ui}/runs", headers={**link, "Sec-Fetch-Dest": "iframe"}).status_code == 403
    for path in ("/graphql", "/logs/a/b.err", "/download_debug/x", "/notebook", "/dagit/notebook"):
        assert httpx.get(ui + path, headers=page).status_code == 403, path
    script = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "script",
    }
    assert httpx.get(f"{ui}/graphql", params={"query": SEEN}, headers=script).status_code == 403


def test_the_ui_answers_under_its_bound_address_but_no_wildcard() -> None:
    assert "192.0.2.7" in allowed_names("192.0.2.7", [])
    assert "[fd00::7]" in allowed_names("fd00::7", [])
    assert allowed_names("0.0.0.0", [NAMED]) == ["localhost", "127.0.0.1", "[::1]", NAMED]
    assert allowed_names("::", []) == allowed_names("0.0.0.0", [])
    with pytest.raises(ValueError, match="is none"):
        host_names("dagster.acme.com, *")
    with pytest.raises(ValueError, match="is none"):
        host_names("https://dagster.acme.com")


def test_an_address_that_others_reach_is_announced_with_a_warning() -> None:
    assert [
        is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9")
    ] == [True] * 5
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.5", "example.com"))
    warning = open_ui_warning("0.0.0.0", 3000)
    assert "without a password" in warning
    assert "LIGHTFAST_DAGSTER_HOST=127.0.0.1" in warning
