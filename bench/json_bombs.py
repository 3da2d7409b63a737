"""Measures what signed bodies of 24 MB cost the receiver and capture: `python -m bench.json_bombs`.

The bodies would be far larger in memory than on the wire. Each body and step runs in a process of its
own, which prints seconds of CPU, the memory added at the peak, and the outcome. Linux only.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.github.webhooks.signature import sign
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.webhook_contract import Provider, Secret

SIZE = 24 * 1024 * 1024
SECRET = Secret("env:BENCH", b"secret")
FORM = "application/x-www-form-urlencoded"


def _array(entry: bytes) -> bytes:
    return b'{"a":[' + (entry + b",") * (SIZE // (len(entry) + 1)) + b"0]}"


def _form(value: bytes) -> bytes:
    return b"payload=" + value * (SIZE // len(value))


BODIES: Mapping[str, Callable[[], bytes]] = {
    "an ordinary text": lambda: b'{"a":"' + b"x" * SIZE + b'"}',
    "empty arrays": lambda: _array(b"[]"),
    "empty objects": lambda: _array(b"{}"),
    "objects of one key": lambda: _array(b'{"a":1}'),
    "objects in objects": lambda: _array(b'{"a":{"b":{"c":{}}}}'),
    "256 arrays in each other": lambda: _array(b"[" * 250 + b"]" * 250),
    "arrays without end": lambda: b'{"a":' + b"[" * SIZE,
    "objects without end": lambda: b'{"a":' * (SIZE // 5),
    "digits": lambda: _array(b"1"),
    "empty arrays at the bound": lambda: b'{"a":[' + b"[]," * 499_000 + b"0]}",
    "objects at the bound": lambda: b'{"a":[' + b'{"a":1},' * 499_000 + b"0]}",
    "250 arrays, at the bound": lambda: (
        b'{"a":[' + (b"[" * 250 + b"]" * 250 + b",") * 3_900 + b"0]}"
    ),
    "odd objects at the bound": lambda: b'{"a":["\\ud800",' + b'{"a":1},' * 499_000 + b"0]}",
    "a million distinct keys": lambda: (
        b"{" + b",".join(b'"key%d":1' % n for n in range(990_000)) + b"}"
    ),
    "two million distinct keys": lambda: (
        b"{" + b",".join(b'"%d":1' % n for n in range(2_000_000)) + b"}"
    ),
    "escapes": lambda: b'{"a":"' + b"\\u0041" * (SIZE // 6) + b'"}',
    "lone surrogates": lambda: b'{"a":"' + b"\\ud800" * (SIZE // 6) + b'"}',
    "escaped quotes": lambda: b'{"a":"' + b'\\"' * (SIZE // 2) + b'"}',
    "commas in a text": lambda: b'{"a":"' + b"," * SIZE + b'"}',
    "one long number": lambda: b'{"a":' + b"9" * SIZE + b"}",
    "one long fraction": lambda: b'{"a":0.' + b"9" * SIZE + b"}",
    "numbers of 300 digits": lambda: _array(b"9" * 300),
    "a form of escapes": lambda: _form(b"%5B"),
    "a form of a text": lambda: b"payload=%7B%22a%22%3A%22" + b"%41" * (SIZE // 3) + b"%22%7D",
    "a form of empty arrays": lambda: (
        b"payload=%7B%22a%22%3A%5B" + b"%5B%5D," * (SIZE // 7) + b"0%5D%7D"
    ),
    "a form of equals signs": lambda: _form(b"="),
    "a form of fields": lambda: _form(b"&payload="),
}


def _accept(provider: Provider, body: bytes, headers: Mapping[str, str]) -> str:
    answer = provider.accept(body, headers, [SECRET], now=datetime.now(UTC))
    return str(answer)


def _decode(provider: Provider, body: bytes, headers: Mapping[str, str]) -> str:
    try:
        provider.decode(body, headers)
    except MalformedBody as error:
        return str(error)
    return "read"


STEPS = {"receiver": _accept, "capture": _decode}


def _forget_peak() -> int:
    """Begins a new measurement of the peak; the memory in use now, in KiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(what: str) -> int:
    line = re.search(rf"^{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert line is not None
    return int(line[1])


def _measure(step: str, name: str, answer: Connection) -> None:
    body = BODIES[name]()
    headers = {
        "x-hub-signature-256": sign(body, SECRET.value),
        "x-github-event": "push",
        "x-github-delivery": "1",
        "content-type": FORM if "form" in name else "application/json",
    }
    provider = discover()["github"]
    before, started = _forget_peak(), time.process_time()
    outcome = STEPS[step](provider, body, headers)
    answer.send((len(body), time.process_time() - started, _memory("VmHWM") - before, outcome))


def main() -> None:
    context = multiprocessing.get_context("spawn")
    print(f"{'body':28} {'MB':>5} {'step':8} {'seconds':>8} {'MB added':>9}  outcome")
    for name in BODIES:
        for step in STEPS:
            receiving, sending = context.Pipe(duplex=False)
            process = context.Process(target=_measure, args=(step, name, sending))
            process.start()
            sending.close()
            try:
                size, seconds, added, outcome = receiving.recv()
            except EOFError:
                print(f"{name:28} {'':5} {step:8} the process died")
                continue
            finally:
                process.join()
            print(
                f"{name:28} {size / 1e6:5.1f} {step:8} {seconds:8.2f} {added / 1024:9.0f}  {outcome[:70]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
