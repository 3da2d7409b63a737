"""The least that a receiver can do, for comparison: Starlette, HMAC, shared commits into one table.

No providers, stored headers, queue, limits or log. A process of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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
        await connection.execute(TABLE)
        task = asyncio.create_task(flush(connection))
        yield
        task.cancel()
        await connection.close()

    async def deliver(request: Request) -> Response:
        body = await request.body()
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers["x-hub-signature-256"]):
            return Response(status_code=401)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append((request.headers["x-github-delivery"], body, future))
        wake.set()
        await future
        return Response(b"{}")

    return Starlette(routes=[Route("/", deliver, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    dsn, secret, port = sys.argv[1:]
    uvicorn.run(
        create_app(dsn, secret.encode()), port=int(port), access_log=False, log_level="warning"
    )
