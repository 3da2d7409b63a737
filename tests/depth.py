"""How much of a property is tried: a few examples, the same ones each time, in `make test`; many
random ones in `make test-deep`.
"""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import HealthCheck, settings

# Neither profile bounds the time of an example or of its making: a slow machine is no failure.
_UNTIMED = (HealthCheck.too_slow,)
settings.register_profile(
    "quick", deadline=None, derandomize=True, max_examples=25, suppress_health_check=_UNTIMED
)
settings.register_profile(
    "deep", deadline=None, max_examples=1_000, print_blob=True, suppress_health_check=_UNTIMED
)
_DEEP_FACTOR = 20


def is_deep() -> bool:
    """Whether `make test-deep` runs (pytest's `--hypothesis-profile=deep`)."""
    return settings.get_current_profile_name() == "deep"


def examples(few: int, *, suppress: Collection[HealthCheck] = ()) -> settings:
    """Settings of a property that is tried with `few` examples, or twenty times as many.

    `suppress` are health checks that do not hold for it.
    """
    return settings(
        max_examples=few * _DEEP_FACTOR if is_deep() else few,
        suppress_health_check=(*_UNTIMED, *suppress),
    )


def size(quick: int, deep: int) -> int:
    """How large a test of many things is: as many as show the fault, or as many as were asked for."""
    return deep if is_deep() else quick
