"""What the receiver's benchmark sends is what providers send."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.receiver_deliveries import PROVIDERS, REPEAT_AFTER, REPEAT_EVERY, Deliveries, Sent
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import Accepted, Secret
from webhook_receiver.framing import parse_head
from webhook_receiver.limits import Limits


def accepted(sent: Sent) -> Accepted:
    head, _, body = sent.request.partition(b"\r\n\r\n")
    parsed = parse_head(head + b"\r\n\r\n", Limits())
    assert parsed.length == len(body)
    answer = discover()[sent.provider].accept(
        body, parsed.headers, [Secret("env:X", b"secret")], now=datetime.now(UTC)
    )
    assert isinstance(answer, Accepted), answer
    return answer


def test_every_provider_accepts_its_deliveries_under_the_id_that_is_looked_up() -> None:
    deliveries = Deliveries(2048, "secret")
    sent = [deliveries.number(number) for number in range(40)]
    assert {s.provider for s in sent} == set(PROVIDERS) == set(discover())
    assert [accepted(s).delivery_id for s in sent] == [s.delivery_id for s in sent]
    assert all(abs(len(s.request.partition(b"\r\n\r\n")[2]) - 2048) < 40 for s in sent)


def test_some_deliveries_of_every_provider_are_sent_twice() -> None:
    deliveries = Deliveries(1024, "secret")
    made = [deliveries.number(number) for number in range(REPEAT_AFTER + 10 * REPEAT_EVERY)]
    repeated = [sent for number, sent in enumerate(made) if sent in made[:number]]
    assert {sent.provider for sent in repeated} == set(PROVIDERS)
    assert len(repeated) < len(made) / 10
