"""One local server for all tests of a module, as each test finds it: honest and without a fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.anthropic import USAGE, AnthropicServer, anthropic_server, labelled


@pytest.fixture(scope="module")
def running() -> Iterator[AnthropicServer]:
    with anthropic_server() as server:
        yield server


@pytest.fixture
def server(running: AnthropicServer) -> AnthropicServer:
    running.served.asked.clear()
    running.served.faults.clear()
    running.batches.clear()
    running.batches_cut = 0
    running.stop_reason = "end_turn"
    running.answer = labelled()
    running.usage = dict(USAGE)
    return running
