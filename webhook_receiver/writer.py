"""Stores deliveries through one connection; those that arrive together share a commit.

There is no fixed wait: while one batch commits, the next one gathers. Reconnects by itself; knows nothing
about HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

import asyncpg

from lightfast_pipelines.store.clocks import difference
from lightfast_pipelines.store.deliveries import INSERT_SQL, Delivery, columns
from webhook_receiver.address import driver_address
from webhook_receiver.logs import error_type
from webhook_receiver.metrics import Metrics

MAX_ROWS = 256
MAX_BYTES = 8 * 1024 * 1024
# GitHub gives up after 10 s; a database that takes longer is as good as away.
STATEMENT_SECONDS = 9.0
CONNECT_SECONDS = 5.0
FIRST_DELAY, LONGEST_DELAY = 0.05, 1.0

# SQLSTATE classes of errors that a delivery itself causes: data, limits, constraints.
_DELIVERY_AT_FAULT = {"22", "23", "54"}

log = logging.getLogger(__name__)

WaitingDelivery = tuple[Delivery, "asyncio.Future[bool]"]
WaitingQuery = tuple[str, "asyncio.Future[list[tuple[Any, ...]]]"]


class Unavailable(Exception):
    """The database is unreachable, or was before it confirmed: the sender should try again."""


class Unstorable(Exception):
    """The database refuses this delivery, and would do so again."""


class Writer:
    """Begin with `start` and end with `close`, which first stores what was submitted.

    `address` returns the libpq URL; it is called in a thread before each connection is made, so it may
    migrate or start a server. `clock` is compared with the database's clock once per connection, to
    warn if they differ.
    """

    def __init__(
        self, address: Callable[[], str], clock: Callable[[], datetime], metrics: Metrics
    ) -> None:
        self._address = address
        self._clock = clock
        self._metrics = metrics
        self._waiting: deque[WaitingDelivery] = deque()
        self._pings: list[asyncio.Future[datetime]] = []
        self._reads: list[WaitingQuery] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="writer")

    async def close(self) -> None:
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def wait_connected(self, seconds: float) -> None:
        """Returns when the database is connected, or after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._connected.wait()

    async def store(self, delivery: Delivery) -> bool:
        """Returns after the commit: True if the delivery was new. Raises Unavailable or Unstorable."""
        if not self._connected.is_set() or self._closing:
            raise Unavailable
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, future))
        self._wake.set()
        return await future

    async def ping(self) -> datetime:
        """The database's time. Raises Unavailable."""
        if not self._connected.is_set() or self._closing:
            raise Unavailable
        future: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        self._pings.append(future)
        self._wake.set()
        return await future

    async def read(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a short query. Raises Unavailable."""
        if not self._connected.is_set() or self._closing:
            raise Unavailable
        future: asyncio.Future[list[tuple[Any, ...]]] = asyncio.get_running_loop().create_future()
        self._reads.append((query, future))
        self._wake.set()
        return await future

    async def _run(self) -> None:
        delay = FIRST_DELAY
        is_reported = False
        while not self._closing:
            connection: asyncpg.Connection[Any] | None = None
            try:
                connection = await self._connect()
                log.info("database connected")
                delay, is_reported = FIRST_DELAY, False
                await self._serve(connection)
            except Exception as error:
                # Any error: this task is the only way to the database and must not end.
                if not is_reported:
                    log.warning("database away", extra={"fields": {"error": error_type(error)}})
                    is_reported = True
            finally:
                self._connected.clear()
                self._metrics.database_is(connected=False)
                self._fail_all()
                if connection is not None:
                    connection.terminate()
            if not self._closing:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wait_for_closing(), delay)
                delay = min(delay * 2, LONGEST_DELAY)

    async def _wait_for_closing(self) -> None:
        while not self._closing:
            self._wake.clear()
            await self._wake.wait()

    async def _connect(self) -> asyncpg.Connection[Any]:
        dsn = driver_address(await asyncio.to_thread(self._address))
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "lightfast receiver"},
        )
        connection.add_termination_listener(lambda _: self._wake.set())
        return connection

    async def _serve(self, connection: asyncpg.Connection[Any]) -> None:
        async with asyncio.timeout(STATEMENT_SECONDS):
            # Planning the one statement again for each batch costs more than it gains.
            await connection.execute("SET plan_cache_mode = force_generic_plan")
            statement = await connection.prepare(INSERT_SQL)
            database_time = await connection.fetchval("SELECT clock_timestamp()")
        apart = difference((self._clock() - database_time).total_seconds())
        if apart is not None:
            log.warning("clocks are apart", extra={"fields": {"reason": apart}})
        self._connected.set()
        self._metrics.database_is(connected=True)
        while True:
            if not self._waiting and not self._pings and not self._reads:
                if self._closing:
                    await connection.close()
                    return
                self._wake.clear()
                await self._wake.wait()
            if connection.is_closed():
                raise Unavailable
            if self._pings:
                await self._answer_pings(connection)
            if self._reads:
                await self._answer_reads(connection)
            if self._waiting:
                await self._flush(statement, self._take())

    def _take(self) -> list[WaitingDelivery]:
        batch: list[WaitingDelivery] = []
        size = 0
        while self._waiting and len(batch) < MAX_ROWS:
            size += len(self._waiting[0][0].body)
            if batch and size > MAX_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _flush(
        self, statement: asyncpg.prepared_stmt.PreparedStatement[Any], batch: list[WaitingDelivery]
    ) -> None:
        together: dict[Any, list[asyncio.Future[bool]]] = {}
        deliveries: list[Delivery] = []
        for delivery, future in batch:
            same = together.setdefault(delivery.key, [])
            if not same:
                deliveries.append(delivery)
            same.append(future)
        began = time.monotonic()
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                rows = await statement.fetch(*columns(deliveries))
        except Exception as error:
            self._metrics.commit_failed()
            if not _delivery_at_fault(error):
                _fail(batch, Unavailable())
                raise
            if len(batch) == 1:
                log.error("delivery not storable", extra={"fields": {"error": error_type(error)}})
                _fail(batch, Unstorable())
                return
            # One of them spoils the batch. Store each on its own, so that the others do not suffer.
            for position, waiting in enumerate(batch):
                try:
                    await self._flush(statement, [waiting])
                except BaseException:
                    _fail(batch[position:], Unavailable())
                    raise
            return
        except BaseException:
            _fail(batch, Unavailable())
            raise
        self._metrics.committed(len(batch), time.monotonic() - began)
        new = {row[0] - 1 for row in rows}
        for position, futures in enumerate(together.values()):
            for repeat, future in enumerate(futures):
                if not future.done():
                    future.set_result(position in new and repeat == 0)

    async def _answer_pings(self, connection: asyncpg.Connection[Any]) -> None:
        pings, self._pings = self._pings, []
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                database_time: datetime = await connection.fetchval("SELECT clock_timestamp()")
        except BaseException:
            self._pings += pings
            raise
        for ping in pings:
            if not ping.done():
                ping.set_result(database_time)

    async def _answer_reads(self, connection: asyncpg.Connection[Any]) -> None:
        reads, self._reads = self._reads, []
        for position, (query, future) in enumerate(reads):
            try:
                async with asyncio.timeout(STATEMENT_SECONDS):
                    rows = await connection.fetch(query)
            except asyncpg.PostgresError as error:
                # The query's own fault (a table is not migrated yet): deliveries are not affected.
                log.warning("not readable", extra={"fields": {"error": error_type(error)}})
                _fail([(query, future)], Unavailable())
                continue
            except BaseException:
                self._reads += reads[position:]
                raise
            if not future.done():
                future.set_result([tuple(row) for row in rows])

    def _fail_all(self) -> None:
        _fail(self._waiting, Unavailable())
        self._waiting.clear()
        pings, self._pings = self._pings, []
        for ping in pings:
            if not ping.done():
                ping.set_exception(Unavailable())
        _fail(self._reads, Unavailable())
        self._reads.clear()


def _fail(batch: Any, error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def _delivery_at_fault(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return state[:2] in _DELIVERY_AT_FAULT
    return isinstance(error, ValueError | TypeError | OverflowError)
