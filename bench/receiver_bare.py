"""The least that a receiver can do, for comparison: Starlette, HMAC, shared commits into one table.

No providers, stored headers, queue, limits or log. A process of its own; several may share the port.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.receiver_deliveries import SIGNATURES

TABLE = """
CREATE TABLE IF NOT EXISTS bench_bare (delivery_id text PRIMARY KEY, body bytea NOT NULL);
ALTER TABLE bench_bare ALTER COLUMN body SET STORAGE EXTERNAL;
"""
INSERT = """
INSERT INTO bench_bare SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING
"""


def create_app(dsn: str, secret: bytes) -> Starlette:
    waiting: list[tuple[str, bytes, asyncio.Future[None]]] = []
    wake = asyncio.Event()

    async def flush(connection: asyncpg.Connection) -> None:
        statement = await connection.prepare(INSERT)
        while True:
            await wake.wait()
            wake.clear()
            while waiting:
                batch = waiting[:256]
                del waiting[:256]
                await statement.fetch([b[0] for b in batch], [b[1] for b in batch])
                for _, _, future in batch:
                    future.set_result(None)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        connection = await asyncpg.connect(dsn)
        task = asyncio.create_task(flush(connection))
        yield
        task.cancel()
        await connection.close()

    async def deliver(request: Request) -> Response:
        body = await request.body()
        header, algorithm, id_header = SIGNATURES[request.path_params["provider"]]
        signature = request.headers[header]
        expected = hmac.new(secret, body, algorithm).hexdigest()
        if not hmac.compare_digest(expected, signature.removeprefix("sha256=")):
            return Response(status_code=401)
        # Where no header holds an id, the signature is one.
        delivery_id = request.headers[id_header] if id_header else signature
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append((delivery_id, body, future))
        wake.set()
        await future
        return Response(b"{}")

    routes = [Route("/webhooks/{provider}", deliver, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    dsn, secret, port = sys.argv[1:]
    config = uvicorn.Config(
        create_app(dsn, secret.encode()), access_log=False, log_level="warning", backlog=2048
    )
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", int(port)))
        uvicorn.Server(config).run(sockets=[listener])
