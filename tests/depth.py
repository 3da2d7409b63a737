"""How many examples a property gets: a few fixed ones in `make test`, many random ones in
`make test-deep`.
"""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import HealthCheck, settings

# Neither profile limits time: a slow machine is not a failure.
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
    """Settings for a property: `few` examples, or twenty times as many in `make test-deep`.

    `suppress` names health checks that do not apply to it.
    """
    return settings(
        max_examples=few * _DEEP_FACTOR if is_deep() else few,
        suppress_health_check=(*_UNTIMED, *suppress),
    )


def size(quick: int, deep: int) -> int:
    """The size of a large test: `quick` is enough to show the fault, `deep` is for `make test-deep`."""
    return deep if is_deep() else quick
