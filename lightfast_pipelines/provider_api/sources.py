"""A linked resource as its provider's rules see it, and what is read of it as it goes into the inbox."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from lightfast_pipelines.providers.api_contract import LinkedResource, Record
from lightfast_pipelines.store.backfills import Source
from lightfast_pipelines.store.deliveries import Delivery, partition_date_of


def place_of(source: Source) -> LinkedResource:
    return LinkedResource(
        provider=source.provider,
        resource_id=source.resource_id,
        resource_name=source.resource_name,
        meta=source.meta,
        installation_id=source.installation,
        account_login=source.account_login,
        account=source.account,
    )


def delivery_of(
    record: Record,
    provider: str,
    owner: tuple[int, str],
    ingestion_source: Literal["backfill", "api"],
    *,
    first_day: date,
    now: datetime,
) -> Delivery:
    """The record as it is stored. `owner`: the installation whose credential read it, and its
    organisation, whose links alone it reaches."""
    installation_id, org_id = owner
    return Delivery(
        provider=provider,
        delivery_id=record.delivery_id,
        event_type=record.event_type,
        # Sorted: what a walk carries in its cursor comes back from the database in another order, and
        # the same fact must be the same bytes.
        body=msgspec.json.encode(record.payload, order="sorted"),
        headers=record.headers,
        received_at=now,
        partition_date=partition_date_of(record.occurred_at, start=first_day, now=now),
        ingestion_source=ingestion_source,
        verified_by=f"credential:{installation_id}",
        org_id=org_id,
    )
