"""Text from outside never reaches a terminal as something that it obeys."""

from __future__ import annotations

import ast
import json
import os
import pty
import sys
import unicodedata
from pathlib import Path

import pytest

from lightfast_pipelines.cli.console import on_one_line, printable
from tests.capture.deliveries import capture_all, delivery, receive
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.cli.conftest import Lightfast
from tests.programs import Programs
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear

CLEARS = "\x1b[2J\x1b[H"
COPIES = "\x1b]52;c;cm0gLXJmIH4=\x07"
CLEARS_IN_ONE = "\x9b2J"
TURNED = "\u202egpj.exe\u202c"
HIDDEN = "\u2066\u200b\U000e0041\ufeff"
BREAKS = "first\r\nlightfast: all is well"
ALL = f"{CLEARS}{COPIES}{CLEARS_IN_ONE}{TURNED}{HIDDEN}{BREAKS}\u2028"

PROJECT = Path(__file__).parents[2]


def obeyed(text: str) -> list[str]:
    """The characters that a terminal obeys or hides, except line ends and tabs."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [
        letter for letter in text if unicodedata.category(letter) in kinds and letter not in "\n\t"
    ]


@pytest.mark.parametrize("text", [CLEARS, COPIES, CLEARS_IN_ONE, TURNED, HIDDEN, "\ud83d", "\x7f"])
def test_characters_that_a_terminal_obeys_are_escaped(text: str) -> None:
    assert obeyed(text)
    for made in (printable(text), on_one_line(text)):
        assert not obeyed(made)
        made.encode()
        shown = made.encode("ascii", "backslashreplace").decode("unicode_escape")
        assert shown == text


@pytest.mark.parametrize(
    "text",
    [
        "Grüße, 漢字 and שלום",
        "e\u0301 \u00a0 \u3000",
        "👩\u200d💻 and ❤️",
        "न\u094d\u200dष",
        "a\n\tb",
    ],
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert printable(text) == text


def test_the_text_of_a_row_cannot_begin_another_row() -> None:
    assert on_one_line(BREAKS) == "first lightfast: all is well"


def _attack(lightfast: Lightfast) -> None:
    pull_request = github.pull_request(title=f"Add {ALL}", head=f"mira/{TURNED}{CLEARS}")
    unlinked = github.pull_request(repo=f"acme/{CLEARS}{TURNED}", repo_id=2)
    with lightfast.database.connect() as conn:
        linked(conn, "shop", ("github", "1"), ("linear", "team-1"))
        receive(
            conn,
            [
                delivery("pull_request", pull_request),
                delivery("pull_request", unlinked),
                delivery(f"eclipse{CLEARS}", {"action": "seen", "repository": github.repository()}),
                provider_delivery(
                    "linear", "Issue", linear.issue(title=f"{CLEARS_IN_ONE}{TURNED}")
                ),
            ],
        )
        capture_all(conn)
        conn.execute(
            "UPDATE lightfast.outcomes SET resource_key = resource_key || %s, reason = %s"
            " WHERE status = 'parked'",
            (CLEARS_IN_ONE, ALL),
        )
        conn.execute("UPDATE lightfast.resources SET resource_name = %s", (ALL,))
        conn.execute("UPDATE lightfast.integrations SET sync_error = %s", (ALL,))
        conn.execute("UPDATE lightfast.temporal_states SET state_value = %s", (TURNED,))
        conn.commit()


COMMANDS = (
    ("why", "github:pr:1#1"),
    ("why", f"nothing{ALL}"),
    ("waiting",),
    ("status",),
    ("state", "github:pr:1#1"),
    ("show", "github:pr:1#1"),
    ("show", f"nothing{ALL}"),
    ("chain", "github:pr:1#1"),
    ("timeline",),
    ("timeline", "--by", f"nothing{ALL}"),
    ("workspace", "list"),
    ("integration", "list"),
    ("installation", "list"),
    ("activity",),
    ("outages",),
    ("backfill", "status"),
    ("ingest", f"/nowhere/{CLEARS}"),
    ("workspace", "add", f"{CLEARS}{TURNED}"),
)


def test_no_command_prints_what_a_terminal_obeys(lightfast: Lightfast) -> None:
    _attack(lightfast)
    seen = ""
    for words in COMMANDS:
        exits = 1 if "nothing" in words[-1] else 2 if CLEARS in words[-1] else 0
        result = lightfast(*words, exits=exits)
        assert not obeyed(result.stdout + result.stderr), words
        seen += result.stdout + result.stderr
    for shown in (r"\x1b[2J", r"\x9b2J", r"\u202egpj.exe"):
        assert shown in seen


@pytest.mark.parametrize(
    ("words", "exits"),
    [
        (("ingest", "/nowhere/{}", "-w", "shop", "-p", "github"), 2),
        (("ingest", "-", "-w", "shop", "-p", "{}"), 2),
        (("outages", "{}"), 2),
        (("why", "-w", "{}", "github:pr:1#1"), 1),
    ],
    ids=["file", "provider", "argument", "workspace"],
)
def test_an_error_that_quotes_what_it_was_given_stays_one_line(
    lightfast: Lightfast, words: tuple[str, ...], exits: int
) -> None:
    # Files come from elsewhere, and a shell expands their names.
    given = f"{CLEARS_IN_ONE}{TURNED}\nlightfast: all is well"
    result = lightfast(*(word.format(given) for word in words), exits=exits)
    assert r"\x9b2J\u202egpj.exe" in result.stderr
    assert not obeyed(result.stderr)
    assert "\nlightfast: all is well" not in result.stderr


def test_json_loses_nothing_and_prints_nothing_that_a_terminal_obeys(lightfast: Lightfast) -> None:
    _attack(lightfast)
    for words in (
        ("why", "github:pr:1#1"),
        ("waiting",),
        ("state", "github:pr:1#1"),
        ("show", "github:pr:1#1"),
        ("timeline",),
    ):
        result = lightfast(*words, "--json")
        assert not obeyed(result.stdout)
        again = json.dumps(json.loads(result.stdout), ensure_ascii=False)
        assert CLEARS_IN_ONE in again or TURNED in again


@pytest.mark.parametrize("words", [("why", "github:pr:1#1"), ("timeline",), ("show", "#1")])
def test_a_real_terminal_gets_no_command_from_a_title(
    lightfast: Lightfast, programs: Programs, words: tuple[str, ...]
) -> None:
    """On a real terminal another library draws the tables, and lines are cut to its width."""
    _attack(lightfast)
    ours, theirs = pty.openpty()
    command = programs.start(
        [
            sys.executable,
            "-c",
            "from lightfast_pipelines.cli import app; app()",
            *words,
        ],
        {**os.environ, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    # A pseudo-terminal whose other end is closed raises an error.
    try:
        while part := os.read(ours, 65_536):
            written += part
    except OSError:
        pass
    assert command.wait() == 0
    os.close(ours)
    text = written.decode().replace("\r\n", "\n")
    assert r"\x1b[2J" in text.replace("\n", "")
    assert not obeyed(text)


def test_only_the_console_writes_to_the_terminal() -> None:
    writers = []
    for path in sorted((PROJECT / "lightfast_pipelines/cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "typer.echo",
                "typer.secho",
                "click.echo",
                "sys.stdout.write",
            ):
                writers.append(path.name)
    assert set(writers) == {"console.py"}
