"""`lightfast documents` and `lightfast integration documents`, against a served GitHub."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from lightfast_pipelines import settings as settings_module
from tests.cli.conftest import Lightfast
from tests.programs import Programs
from tests.servers.github import TOKEN
from tests.servers.github_files import FileRepository, FilesServer
from tests.servers.github_wire import Bucket, Reply, Request
from tests.servers.serving import serve

_WAIT_SECONDS = 60
OF_SHOP = ("-w", "shop", "-p", "github", "-r", "1")


class StallingServer(FilesServer):
    """Does not answer for the file of this name until it may go on."""

    is_reached, may_go_on = threading.Event(), threading.Event()

    def _routed(self, request: Request, bucket: Bucket) -> Reply:
        if request.path.endswith("/stall.md") and not self.may_go_on.is_set():
            self.is_reached.set()
            self.may_go_on.wait(_WAIT_SECONDS)
        return super()._routed(request, bucket)


@pytest.fixture
def repository(lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileRepository]:
    """A served repository that the workspace `shop` links, with a credential."""
    made = FileRepository()
    made.commit(
        {
            "lightfast.yml": "include: [docs]\n",
            "README.md": "# Shop\n\nSells things.\n",
            "docs/pay.md": "# Payments\n\nA refund reaches the card after two days.\n",
        }
    )
    with serve(StallingServer(made)) as server:
        for name, value in (
            ("ENCRYPTION_KEY", "07" * 32),
            ("GITHUB_API_URL", server.url),
            ("TOK", TOKEN),
        ):
            monkeypatch.setenv(name, value)
        settings_module.settings.cache_clear()
        lightfast("workspace", "add", "shop")
        lightfast("integration", "add", *OF_SHOP, "--name", "acme/shop", "--credential-env", "TOK")
        yield made


def test_a_sync_fetches_what_is_named_and_a_search_finds_it(
    lightfast: Lightfast, repository: FileRepository
) -> None:
    [report] = lightfast.json("documents", "sync", "-w", "shop")
    assert (report["config"], report["documents"], report["fetched"]) == ("ok", 1, 1)
    [again] = lightfast.json("documents", "sync", "-w", "shop", "-r", "acme/shop")
    assert (again["documents"], again["fetched"], again["because"]) == (1, 0, "a request")
    [listed] = lightfast.json("documents", "list", "-w", "shop")
    assert (listed["path"], listed["title"], listed["commit_sha"]) == (
        "docs/pay.md",
        "Payments",
        repository.head.sha,
    )
    [found] = lightfast.json("documents", "search", "when is money back on a card", "-w", "shop")
    assert (found["path"], found["first_line"]) == ("docs/pay.md", 1)
    [same] = lightfast.json("documents", "search", "refunds", "-w", "shop", "--words")
    assert same["path"] == "docs/pay.md"
    nothing = lightfast("documents", "search", "parrots", "-w", "shop", "--words")
    assert nothing.stdout == "nothing found\n"
    [integration] = lightfast.json("integration", "list")
    assert (integration["config_status"], integration["document_count"]) == ("ok", 1)
    assert integration["last_config_check"] is not None


def test_a_process_that_is_killed_during_a_look_leaves_what_it_wrote_and_the_next_goes_on(
    lightfast: Lightfast, repository: FileRepository, programs: Programs
) -> None:
    files = {f"docs/{number}.md": f"# Part {number}\n\nText.\n" for number in range(30)}
    repository.commit({**files, "docs/stall.md": "# Last\n\nText.\n"})
    command = "from lightfast_pipelines.cli import app; app()"
    looking = programs.start([sys.executable, "-c", command, "documents", "sync", "-w", "shop"])
    assert StallingServer.is_reached.wait(_WAIT_SECONDS)
    meanwhile = lightfast("documents", "sync", "-w", "shop", exits=1)
    assert "another process looks at them" in meanwhile.stderr
    looking.kill()
    looking.wait()
    StallingServer.may_go_on.set()
    # Files are written in batches of twenty.
    assert len(lightfast.json("documents", "list", "-w", "shop")) == 20
    [report] = lightfast.json("documents", "sync", "-w", "shop")
    assert (report["documents"], report["fetched"], report["error"]) == (32, 12, None)
    with lightfast.database.connect("pipeline") as conn:
        assert conn.execute("SELECT * FROM lightfast.document_queue").fetchall() == []


def test_a_new_link_waits_for_a_look_and_one_without_files_does_not(
    lightfast: Lightfast, repository: FileRepository
) -> None:
    lightfast("integration", "add", "-w", "shop", "-p", "linear", "-r", "team:x", "--unchecked")
    with lightfast.database.connect("pipeline") as conn:
        queued = conn.execute("SELECT reason FROM lightfast.document_queue").fetchall()
    assert queued == [("a new link",)]
    refused = lightfast(
        *("integration", "documents", "-w", "shop", "-p", "linear", "-r", "team:x"),
        *("--include", "docs"),
        exits=2,
    )
    assert "linear keeps no files" in refused.stderr


def test_a_sync_reads_an_integration_that_wants_nothing_by_itself(
    lightfast: Lightfast, repository: FileRepository
) -> None:
    with lightfast.database.connect("pipeline") as conn:
        conn.execute("UPDATE lightfast.integrations SET sync_config = '{\"autoSync\": false}'")
        conn.commit()
    [report] = lightfast.json("documents", "sync", "-w", "shop")
    assert (report["fetched"], report["error"]) == (1, None)


def test_settings_of_the_integration_count_instead_of_the_repositorys_file(
    lightfast: Lightfast, repository: FileRepository
) -> None:
    set_to = lightfast.json("integration", "documents", *OF_SHOP, "--include", "*.md")
    assert set_to["documents"] == {"include": ["*.md"]}
    lightfast("documents", "sync", "-w", "shop")
    paths = [each["path"] for each in lightfast.json("documents", "list", "-w", "shop")]
    assert sorted(paths) == ["README.md", "docs/pay.md"]
    shown = lightfast("integration", "documents", *OF_SHOP).stdout
    assert shown == "documents: *.md; 2 files named by the integration's settings\n"
    lightfast("integration", "documents", *OF_SHOP, "--default")
    lightfast("documents", "sync", "-w", "shop")
    assert len(lightfast.json("documents", "list", "-w", "shop")) == 1
    wrong = lightfast("integration", "documents", *OF_SHOP, "--include", "!a", exits=2)
    assert "'exclude' takes the place of '!'" in wrong.stderr


def test_an_invalid_file_is_shown_with_its_line(
    lightfast: Lightfast, repository: FileRepository
) -> None:
    repository.commit({"lightfast.yml": "include:\n- docs\n- 7\n"})
    lightfast("documents", "sync", "-w", "shop")
    [integration] = lightfast.json("integration", "list")
    assert integration["config_status"] == "invalid"
    assert integration["config_message"].startswith("lightfast.yml: line 3: ")
    assert integration["config_message"] in lightfast("integration", "list").stdout


def test_a_sync_that_cannot_be_made_says_what_to_do(
    lightfast: Lightfast, repository: FileRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightfast("workspace", "add", "other", "--org", "rival")
    none = lightfast("documents", "sync", "-w", "other", exits=1)
    assert "`lightfast integration add`" in none.stderr
    lightfast("integration", "add", "-w", "other", "-p", "github", "-r", "2", "--name", "rival/web")
    without = lightfast("documents", "sync", "-w", "other", exits=1)
    assert "github rival/web has no credential: give one with `lightfast installation" in (
        " ".join(without.stderr.split())
    )
    monkeypatch.delenv("ENCRYPTION_KEY")
    settings_module.settings.cache_clear()
    locked = lightfast("documents", "sync", "-w", "shop", exits=1)
    assert "ENCRYPTION_KEY is not set" in locked.stderr
    [shop] = lightfast.json("integration", "list", "-w", "shop")
    assert "ENCRYPTION_KEY is not set" in shop["documents_error"]
