"""Today's deliveries of GitHub, signed and posted to the receiver: with a forged, a late and a repeated one."""

from __future__ import annotations

from lightfast_pipelines.demo import payloads
from lightfast_pipelines.demo.cast import JONAS, MIRA, PRIYA, TOMAS, Person
from lightfast_pipelines.demo.payloads import Commit, Numbered
from lightfast_pipelines.demo.story import Fate, Scene, Stage

FIX = "priya/chk-31-double-charge"
STRANGER = Person(
    "h4rbor-admin", 6_666_666, "Harbor Admin", "admin@harbor-shop.invalid", linked=False
)


def tell(
    stage: Stage, bug: Numbered, twin: Numbered, slow: Numbered, fix: Numbered, receipt: Numbered
) -> Commit:
    """What is signed and posted to the receiver. The team is in Vancouver: its afternoon is our night.

    Returns the merge of the fix.
    """
    shop, at = stage.shop, stage.at
    merge = Commit(
        shop,
        MIRA,
        at(1, "23:30"),
        f"Merge pull request #51 from harbor-shop/{FIX}\n\nCharge a checkout only once",
        changed=("api/checkout/payment.py", "web/checkout/pay.ts"),
        by_button=True,
    )
    _post(stage, "the hook is tried", "ping", payloads.ping(shop, TOMAS), "23:00", "filtered")
    merged = _post(
        stage,
        "#51 merged by Mira",
        "pull_request",
        payloads.pull_request(fix, "closed", MIRA, at(1, "23:30"), merge=merge),
        "23:30",
    )
    _post(
        stage,
        "#51 on main",
        "push",
        payloads.push(shop, MIRA, "main", [*fix.commits, merge], at=at(1, "23:30")),
        "23:30",
    )
    _post(
        stage, "#47 closed", "issues", payloads.issue(bug, "closed", MIRA, at(1, "23:30")), "23:30"
    )
    _post(
        stage,
        "payments-api#7 closed",
        "issues",
        payloads.issue(twin, "closed", MIRA, at(1, "23:31")),
        "23:31",
    )
    _post(
        stage,
        "payments-api#7 reported (three days late)",
        "issues",
        payloads.issue(twin, "opened", PRIYA, at(3, "08:30")),
        "23:32",
    )
    stage.repeat(merged)
    _post(
        stage,
        "a forged push",
        "push",
        payloads.push(
            shop,
            STRANGER,
            "main",
            [
                Commit(
                    shop,
                    STRANGER,
                    at(1, "23:35"),
                    "Pay out to another account",
                    changed=("api/checkout/payment.py",),
                )
            ],
            at=at(1, "23:35"),
        ),
        "23:35",
        "refused",
        forged=True,
    )
    stage.tell(
        "half a body",
        "issues",
        payloads.issue(bug, "closed", MIRA, at(1, "23:36")),
        at(1, "23:36"),
        "refused",
        door="webhook",
        trick="malformed",
    )
    _post(
        stage,
        "fix branch deleted",
        "push",
        payloads.delete_branch(shop, MIRA, FIX, fix.commits[-1], at=at(1, "23:37")),
        "23:37",
        "filtered",
    )
    _post(
        stage,
        "v1.4.1 tagged",
        "push",
        payloads.push_tag(shop, TOMAS, "v1.4.1", merge, at=at(1, "23:45")),
        "23:45",
    )
    _post(
        stage,
        "v1.4.1 released",
        "release",
        payloads.release(
            shop,
            TOMAS,
            "v1.4.1",
            "1.4.1: charged once",
            "- A checkout is charged only once, however often it is sent (#51)\n- Large carts are fast again (#49)",
            at(1, "23:46"),
        ),
        "23:46",
    )
    _post(
        stage,
        "#49 closed again",
        "issues",
        payloads.issue(slow, "closed", TOMAS, at(1, "23:50")),
        "23:50",
    )
    _post(
        stage,
        "#53 ready for review",
        "pull_request",
        payloads.pull_request(receipt, "ready_for_review", JONAS, at(1, "23:55")),
        "23:55",
    )
    _post(
        stage,
        "receipt branch grows",
        "push",
        payloads.push(shop, JONAS, "guest-receipt", receipt.commits, at=at(1, "23:54")),
        "23:54",
        "filtered",
    )
    _post(
        stage,
        "an event nobody knows yet",
        "registry_package",
        payloads.registry_package(shop, TOMAS, receipt.commits[-1]),
        "23:58",
        "parked",
    )
    return merge


def _post(
    stage: Stage,
    name: str,
    event: str,
    payload: dict[str, object],
    clock: str,
    fate: Fate = "delivered",
    *,
    forged: bool = False,
) -> Scene:
    return stage.tell(
        name,
        event,
        payload,
        stage.at(1, clock),
        fate,
        door="webhook",
        trick="forged" if forged else None,
    )
