"""The fourth day: guest checkout is merged by somebody else than its author, and released."""

from __future__ import annotations

from lightfast_pipelines.demo import payloads
from lightfast_pipelines.demo.cast import MIRA, PRIYA, ROBOT, TOMAS
from lightfast_pipelines.demo.payloads import Commit, Numbered
from lightfast_pipelines.demo.story import Stage


def tell(stage: Stage, wish: Numbered, pull: Numbered) -> tuple[Commit, Commit]:
    """The merge of the feature, and what was merged after it."""
    shop, at = stage.shop, stage.at
    stage.tell(
        "#43 approved",
        "pull_request_review",
        payloads.review(
            pull, PRIYA, "approved", "Rate limit looks right: five tries a minute.", at(4, "08:10")
        ),
        at(4, "08:10"),
    )
    limit = Commit(
        shop,
        MIRA,
        at(4, "07:50"),
        "Limit guest checkout to five tries a minute",
        changed=("api/checkout/guest.py", "api/settings/limits.py"),
    )
    merge = Commit(
        shop,
        TOMAS,
        at(4, "09:00"),
        f"Merge pull request #43 from harbor-shop/{pull.branch}\n\nLet guests check out with an e-mail address",
        changed=("api/checkout/guest.py", "web/checkout/CheckoutPage.tsx"),
        by_button=True,
    )
    whole = [*pull.commits, limit, merge]
    stage.tell(
        "#43 merged by Tomás",
        "pull_request",
        payloads.pull_request(pull, "closed", TOMAS, at(4, "09:00"), merge=merge),
        at(4, "09:00"),
    )
    stage.tell(
        "#43 on main",
        "push",
        payloads.push(shop, TOMAS, "main", whole, at=at(4, "09:00")),
        at(4, "09:00"),
    )
    stage.tell(
        "#41 closed",
        "issues",
        payloads.issue(wish, "closed", TOMAS, at(4, "09:00")),
        at(4, "09:00"),
    )
    stage.tell(
        "feature branch deleted",
        "push",
        payloads.delete_branch(shop, TOMAS, pull.branch, limit, at=at(4, "09:01")),
        at(4, "09:01"),
        "filtered",
    )
    bump = Numbered(
        shop,
        46,
        ROBOT,
        at(4, "06:00"),
        "Bump payments-sdk from 12.1.0 to 12.2.0",
        "Bumps payments-sdk from 12.1.0 to 12.2.0.",
        labels=("dependencies",),
        branch="deps/payments-sdk-12.2.0",
        commits=(
            Commit(
                shop,
                ROBOT,
                at(4, "06:00"),
                "Bump payments-sdk to 12.2.0",
                changed=("api/requirements.txt",),
            ),
        ),
    )
    stage.tell(
        "#46 opened",
        "pull_request",
        payloads.pull_request(bump, "opened", ROBOT, at(4, "06:00")),
        at(4, "06:00"),
    )
    bumped = Commit(
        shop,
        ROBOT,
        at(4, "09:20"),
        "Bump payments-sdk from 12.1.0 to 12.2.0 (#46)",
        changed=("api/requirements.txt",),
        by_button=True,
    )
    stage.tell(
        "#46 merged",
        "pull_request",
        payloads.pull_request(bump, "closed", TOMAS, at(4, "09:20"), merge=bumped),
        at(4, "09:20"),
    )
    stage.tell(
        "#46 on main",
        "push",
        payloads.push(shop, TOMAS, "main", [bumped], at=at(4, "09:20")),
        at(4, "09:20"),
    )
    stage.tell(
        "v1.4.0 tagged",
        "push",
        payloads.push_tag(shop, TOMAS, "v1.4.0", bumped, at=at(4, "10:00")),
        at(4, "10:00"),
    )
    stage.tell(
        "v1.4.0 released",
        "release",
        payloads.release(
            shop,
            TOMAS,
            "v1.4.0",
            "1.4.0: guest checkout",
            "- Guests check out with an e-mail address (#43)\n- The postcode survives going back (#45)",
            at(4, "10:02"),
        ),
        at(4, "10:02"),
    )
    return merge, bumped
