"""Today's deliveries of GitHub, posted to the receiver: one of them forged, one late, one repeated.

The team is in Vancouver, so its afternoon is our night.
"""

from __future__ import annotations

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo.cast import JONAS, MIRA, TOMAS, Person
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.stage import Stage

FIX = "priya/chk-31-double-charge"
STRANGER = Person(
    "h4rbor-admin", 6_666_666, "Harbor Admin", "admin@harbor-shop.invalid", linked=False
)


def tell(
    stage: Stage,
    bug: NumberedItem,
    twin: NumberedItem,
    slow: NumberedItem,
    fix: NumberedItem,
    receipt: NumberedItem,
) -> Commit:
    """Returns the merge of the fix."""
    shop, at = stage.shop, stage.at
    merge = Commit(
        shop,
        MIRA,
        at(1, "23:30"),
        f"Merge pull request #51 from harbor-shop/{FIX}\n\nCharge a checkout only once",
        changed=("api/checkout/payment.py", "web/checkout/pay.ts"),
        by_button=True,
    )
    stage.post("the hook is tried", github.ping(shop, TOMAS, at(1, "23:00")), "23:00", "filtered")
    closed = github.pull_request(fix, "closed", MIRA, merge.at, merge=merge)
    merged = stage.post("#51 merged by Mira", closed, "23:30")
    pushed = github.push(MIRA, "main", [*fix.commits, merge], merge.at)
    stage.post("#51 on main", pushed, "23:30")
    stage.post("#47 closed", github.issue(bug, "closed", MIRA, merge.at), "23:30")
    twin_closed = github.issue(twin, "closed", MIRA, at(1, "23:31"))
    stage.post("payments-api#7 closed", twin_closed, "23:31")
    stage.post("payments-api#7 reported (three days late)", github.issue(twin), "23:32")
    stage.repeat(merged)
    _refused(stage, bug)
    deleted = github.delete_branch(MIRA, FIX, fix.commits[-1], at(1, "23:37"))
    stage.post("fix branch deleted", deleted, "23:37", "filtered")
    _released(stage, merge)
    stage.post("#49 closed again", github.issue(slow, "closed", TOMAS, at(1, "23:50")), "23:50")
    ready = github.pull_request(receipt, "ready_for_review", JONAS, at(1, "23:55"))
    stage.post("#53 ready for review", ready, "23:55")
    grown = github.push(JONAS, "guest-receipt", receipt.commits, at(1, "23:54"))
    stage.post("receipt branch grows", grown, "23:54", "filtered")
    package = github.registry_package(TOMAS, receipt.commits[-1], at(1, "23:58"))
    stage.post("an event nobody knows yet", package, "23:58", "parked")
    return merge


def _refused(stage: Stage, bug: NumberedItem) -> None:
    shop, at, files = stage.shop, stage.at(1, "23:35"), ("api/checkout/payment.py",)
    commit = Commit(shop, STRANGER, at, "Pay out to another account", changed=files)
    push = github.push(STRANGER, "main", [commit], at)
    stage.post("a forged push", push, "23:35", trick="forged")
    closed = github.issue(bug, "closed", MIRA, stage.at(1, "23:36"))
    stage.post("half a body", closed, "23:36", trick="malformed")


def _released(stage: Stage, merge: Commit) -> None:
    tagged = github.push_tag(TOMAS, "v1.4.1", merge, stage.at(1, "23:45"))
    stage.post("v1.4.1 tagged", tagged, "23:45")
    notes = "- A checkout is charged only once, however often it is sent (#51)\n- Large carts are fast again (#49)"
    at = stage.at(1, "23:46")
    released = github.release(stage.shop, TOMAS, "v1.4.1", "1.4.1: charged once", notes, at)
    stage.post("v1.4.1 released", released, "23:46")
