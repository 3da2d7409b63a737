"""The same load from wrk, which leaves the receiver more of the machine than Python does."""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bench.receiver_load import bodies, signature

SCRIPT = """
local run, path, sent = "%(run)s", "%(path)s", 0
local file = io.open("%(file)s", "r")
local deliveries = {}
while true do
  local sign = file:read("*l")
  if not sign then break end
  deliveries[#deliveries + 1] = {sign, file:read("*l")}
end
local headers = {
  ["User-Agent"] = "GitHub-Hookshot/044aadd", ["Accept"] = "*/*",
  ["Content-Type"] = "application/json", ["X-GitHub-Event"] = "ping",
  ["X-GitHub-Hook-ID"] = "292430182", ["X-GitHub-Hook-Installation-Target-ID"] = "79929171",
  ["X-GitHub-Hook-Installation-Target-Type"] = "repository",
  ["X-GitHub-Delivery"] = "DELIVERY",
}
local heads, tails = {}, {}
init = function()
  for i, delivery in ipairs(deliveries) do
    headers["X-Hub-Signature-256"] = delivery[1]
    local made = wrk.format("POST", path, headers, delivery[2])
    local at = made:find("DELIVERY", 1, true)
    heads[i], tails[i] = made:sub(1, at - 1), made:sub(at + 8)
  end
end
request = function()
  sent = sent + 1
  local i = sent %% #heads + 1
  return heads[i] .. run .. "-" .. sent .. tails[i]
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\n{"answers": %%d, "us": %%d, "p50": %%f, "p99": %%f, "status": %%d, "lost": %%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


def wrk(
    path: str, port: int, secret: str, connections: int, seconds: float, body_bytes: int
) -> dict[str, Any]:
    """As `bench.receiver_load` reports it. wrk knows statuses only as 2xx or not."""
    run = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder, "bodies"), Path(folder, "load.lua")
        lines = [f"{signature(b, secret.encode())}\n{b.decode()}\n" for b in bodies(body_bytes)]
        file.write_text("".join(lines))
        script.write_text(SCRIPT % {"run": run, "path": path, "file": file})
        done = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"),
                *("-s", str(script), f"http://127.0.0.1:{port}"),
            ],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
    measured = json.loads(done.stdout.strip().splitlines()[-1])
    return {
        "per_second": measured["answers"] / (measured["us"] / 1e6),
        "p50_ms": measured["p50"] / 1000,
        "p99_ms": measured["p99"] / 1000,
        "accepted": measured["answers"] - measured["status"],
        "statuses": {
            "200": measured["answers"] - measured["status"],
            "not 200": measured["status"],
        },
        "lost_connections": measured["lost"],
        "run": run,
    }
