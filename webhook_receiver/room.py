"""Who is connected, whose bytes are held, and who has to go when there is no room.

Whoever comes when all places or bytes are taken displaces the caller that has waited longest without
completing a request: an honest delivery takes milliseconds, a flood waits. So a flood displaces
itself, also where it shares an address with honest senders. Callers from addresses that never sent
a verified delivery go first, connections that brought one go last, and a request that is complete
is never displaced.
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

KNOWN_SECONDS = 86_400.0
"""How long an address is known after a verified delivery."""
KNOWN_ADDRESSES = 4096
SPARE_DESCRIPTORS = 64
"""Kept for the database, the log and what libraries open."""
_PROBE_SECONDS = 1.0
_HELD_UP_SECONDS = 1.0
_STRANGER, _KNOWN, _VERIFIED = range(3)

log = logging.getLogger("webhook_receiver")


class Caller(Protocol):
    """What the room needs of a connection."""

    peer: str
    """The address that connected, as `address_group` has it."""
    is_proxy: bool
    """Whether it is one whose word on addresses is trusted."""
    address: str
    """Who is behind it: the same, or what a trusted proxy says."""
    is_verified: bool
    held: int
    """Bytes it holds of the budget."""

    def displace(self) -> None:
        """Ends the connection at once."""
        ...

    def look_at_clock(self, now: float) -> None:
        """Ends what takes too long."""
        ...


class Room:
    """The connections of one server. Everything happens on its event loop."""

    def __init__(
        self,
        limits: Limits,
        *,
        trusted_proxies: Sequence[Network] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self.clock = clock
        self.used = 0
        self._trusted = tuple(trusted_proxies)
        self._callers: dict[Caller, None] = {}
        self._by_peer: Counter[str] = Counter()
        # By standing; in each the one that has waited longest comes first.
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
        """Lets a connection in, at the cost of another where it must; False: there is no place."""
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

    def leave(self, caller: Caller) -> None:
        """Safe to repeat."""
        if caller not in self._callers:
            return
        del self._callers[caller]
        self.stop_waiting(caller)
        self.give_back(caller)
        self._by_peer[caller.peer] -= 1
        if not self._by_peer[caller.peer]:
            del self._by_peer[caller.peer]

    def wait(self, caller: Caller) -> None:
        """The caller has nothing complete here: it may be displaced."""
        self._waiting[self._standing(caller)][caller] = None

    def stop_waiting(self, caller: Caller) -> None:
        for queue in self._waiting:
            queue.pop(caller, None)

    def take(self, caller: Caller, size: int) -> bool:
        """Counts `size` more bytes that the caller holds; False: there is no room for them."""
        known = caller.is_verified or self.is_known(caller.address)
        ceiling = self.limits.room_for(caller.held + size, known=known)
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
        """Whether what this address says of others is believed."""
        if not self._trusted:
            return False
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)

    def sender_of(self, peer: str, forwarded: Sequence[str]) -> str:
        """The nearest address that is no trusted proxy."""
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
                # Its place is free now, not when the loop has closed it.
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
        """One look at all connections several times a second: a timer for each costs more."""
        now = self.clock()
        # What came while the loop itself was held up is not read yet: nobody is late on that account.
        # Only once in a row, so that a machine that is always slow ends what dawdles all the same.
        is_held_up = now - self._sweep_due > _HELD_UP_SECONDS
        self._was_held_up = is_held_up and not self._was_held_up
        if not self._was_held_up:
            for caller in list(self._callers):
                caller.look_at_clock(now)
        if now - self._probed_at >= _PROBE_SECONDS:
            self._probed_at = now
            self._probe_descriptors()
        if self._callers:
            self._sweep_later()
        else:
            self._sweeping = False

    def _probe_descriptors(self) -> None:
        """Makes room where the process has no descriptor left.

        libuv then accepts and closes what comes, and tells nobody.
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
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 customer has."""
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
