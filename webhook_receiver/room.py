"""Knows who is connected and how many bytes each holds, and decides who goes when there is no room.

When all places or bytes are taken, a newcomer displaces the caller that has waited longest without
completing a request: an honest delivery takes milliseconds, a flood waits. So a flood displaces
itself, even if it shares an address with honest senders. Callers from addresses that never sent a
verified delivery go first, connections that delivered one go last, and a complete request is never
displaced.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from lightfast_pipelines.settings.addresses import Network
from webhook_receiver.limits import Limits
from webhook_receiver.metrics import Metrics

KNOWN_SECONDS = 86_400.0
"""How long an address counts as known after a verified delivery."""
KNOWN_ADDRESSES = 4096
SPARE_DESCRIPTORS = 64
"""Reserved for the database, the log and what libraries open."""
_PROBE_SECONDS = 1.0
_HELD_UP_SECONDS = 1.0
_STRANGER, _KNOWN, _VERIFIED = range(3)

log = logging.getLogger("webhook_receiver")


class Caller(Protocol):
    """What the room needs from a connection."""

    peer: str
    """The address that connected, as `address_group` returns it."""
    is_proxy: bool
    """Whether it is a trusted proxy, whose X-Forwarded-For counts."""
    address: str
    """The sender's address: the same, or what a trusted proxy says."""
    is_verified: bool
    held: int
    """How many bytes of the budget it holds."""

    def displace(self) -> None:
        """Ends the connection at once."""
        ...

    def look_at_clock(self, now: float) -> None:
        """Ends a request that takes too long."""
        ...


class Room:
    """The connections of one server. Everything happens on its event loop."""

    def __init__(
        self,
        limits: Limits,
        *,
        trusted_proxies: Sequence[Network] = (),
        clock: Callable[[], float] = time.monotonic,
        metrics: Metrics | None = None,
    ) -> None:
        self.limits = limits
        self.metrics = metrics or Metrics()
        self.clock = clock
        self.used = 0
        self._trusted = tuple(trusted_proxies)
        self._callers: dict[Caller, None] = {}
        self._by_peer: Counter[str] = Counter()
        # One queue per standing; in each the caller that has waited longest comes first.
        self._waiting: tuple[OrderedDict[Caller, None], ...] = tuple(
            OrderedDict() for _ in range(3)
        )
        self._known: OrderedDict[str, float] = OrderedDict()
        self._sweeping = False
        self._sweep_due = 0.0
        self._was_held_up = False
        self._probed_at = 0.0
        self._out_of_descriptors = False

    def enter(self, caller: Caller) -> bool:
        """Lets a connection in, displacing another if it must; False if there is no place."""
        if not self._sweeping:
            self._sweeping = True
            self._sweep_later()
        limits = self.limits
        if (
            limits.max_connections_per_address
            and self._by_peer[caller.peer] >= limits.max_connections_per_address
            and not caller.is_proxy
            and not self._displace_one(lambda other: other.peer == caller.peer)
        ):
            return False
        if len(self._callers) >= limits.max_connections and not self._displace_one(None):
            return False
        self._callers[caller] = None
        self._by_peer[caller.peer] += 1
        self.wait(caller)
        return True

    def leave(self, caller: Caller, *, gives_back: bool = True) -> None:
        """Safe to repeat. Without `gives_back` its bytes are counted until it gives them back itself."""
        if caller not in self._callers:
            return
        del self._callers[caller]
        self.stop_waiting(caller)
        if gives_back:
            self.give_back(caller)
        self._by_peer[caller.peer] -= 1
        if not self._by_peer[caller.peer]:
            del self._by_peer[caller.peer]

    def wait(self, caller: Caller) -> None:
        """The caller has no complete request: it may be displaced."""
        self._waiting[self._standing(caller)][caller] = None

    def stop_waiting(self, caller: Caller) -> None:
        for queue in self._waiting:
            queue.pop(caller, None)

    def take(self, caller: Caller, size: int) -> bool:
        """Counts `size` more bytes that the caller holds; False if there is no room for them."""
        is_known = caller.is_verified or self.is_known(caller.address)
        ceiling = self.limits.room_for(caller.held + size, is_known=is_known)
        if self.used + size > ceiling:
            for other in list(self._displaceable(self._standing(caller))):
                if other is not caller and other.held:
                    other.displace()
                    self.leave(other)
                    if self.used + size <= ceiling:
                        break
            else:
                return False
        self.used += size
        caller.held += size
        return True

    def give_back(self, caller: Caller) -> None:
        self.used -= caller.held
        caller.held = 0

    def remember(self, address: str) -> None:
        """A delivery from this address was verified."""
        self._known[address] = self.clock()
        self._known.move_to_end(address)
        if len(self._known) > KNOWN_ADDRESSES:
            self._known.popitem(last=False)

    def is_known(self, address: str) -> bool:
        since = self._known.get(address)
        return since is not None and self.clock() - since < KNOWN_SECONDS

    def is_trusted(self, address: str) -> bool:
        """Whether this is a proxy whose X-Forwarded-For counts."""
        if not self._trusted:
            return False
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)

    def sender_of(self, peer: str, forwarded: Sequence[str]) -> str:
        """The nearest address that is not a trusted proxy."""
        for address in reversed(forwarded):
            if not self.is_trusted(address):
                return address_group(address)
        return peer

    def _standing(self, caller: Caller) -> int:
        if caller.is_verified:
            return _VERIFIED
        return _KNOWN if self.is_known(caller.address) else _STRANGER

    def _displaceable(self, standing: int) -> Iterator[Caller]:
        for queue in self._waiting[: standing + 1]:
            yield from queue

    def _displace_one(self, condition: Callable[[Caller], bool] | None) -> bool:
        for caller in self._displaceable(_VERIFIED):
            if condition is None or condition(caller):
                caller.displace()
                # Frees its place now, not only when the loop has closed it.
                self.leave(caller)
                return True
        return False

    def _sweep_later(self) -> None:
        limits = self.limits
        shortest = min(
            *(limits.head_seconds, limits.body_timeout_seconds, limits.stall_seconds),
            *(limits.answer_seconds, limits.linger_seconds, limits.idle_seconds),
        )
        delay = min(max(shortest / 4, 0.005), 0.25)
        self._sweep_due = self.clock() + delay
        asyncio.get_running_loop().call_later(delay, self._sweep)

    def _sweep(self) -> None:
        """Checks all connections several times a second: a timer for each costs more."""
        now = self.clock()
        # Bytes that arrived while the loop itself was held up are not read yet, so nobody is late.
        # Only once in a row: a machine that is always slow must end slow clients too.
        is_held_up = now - self._sweep_due > _HELD_UP_SECONDS
        self._was_held_up = is_held_up and not self._was_held_up
        if not self._was_held_up:
            for caller in list(self._callers):
                caller.look_at_clock(now)
        self.metrics.room_is(len(self._callers), self.used)
        if now - self._probed_at >= _PROBE_SECONDS:
            self._probed_at = now
            self._probe_descriptors()
        if self._callers or self.used:
            self._sweep_later()
        else:
            self._sweeping = False

    def _probe_descriptors(self) -> None:
        """Makes room if the process has no descriptor left.

        Without one, libuv silently accepts and closes new connections.
        """
        try:
            os.close(os.dup(2))
        except OSError as error:
            if not self._out_of_descriptors:
                fields = {"connections": len(self._callers), "error": error.strerror}
                log.error("no descriptor is left for new connections", extra={"fields": fields})
            self._out_of_descriptors = True
            for _ in range(SPARE_DESCRIPTORS):
                if not self._displace_one(None):
                    break
        else:
            if self._out_of_descriptors:
                log.info("there are descriptors again")
            self._out_of_descriptors = False


def address_group(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 network of one IPv6 customer."""
    parsed = _parsed(address)
    if parsed is None:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
