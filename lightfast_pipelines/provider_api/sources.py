"""Translates between the store's rows and the providers' contract: linked resources in, deliveries out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from lightfast_pipelines.providers.api_contract import LinkedResource, Record
from lightfast_pipelines.store.deliveries import Delivery, partition_date_of
from lightfast_pipelines.store.sources import Source


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
    """The record as a delivery.

    `owner` is the installation whose credential read it, and that installation's organisation: the
    delivery reaches no other.
    """
    installation_id, org_id = owner
    return Delivery(
        provider=provider,
        delivery_id=record.delivery_id,
        event_type=record.event_type,
        # Sorted, so that the same record has the same bytes: the database returns the keys of a walk's
        # cursor in another order.
        body=msgspec.json.encode(record.payload, order="sorted"),
        headers=record.headers,
        received_at=now,
        partition_date=partition_date_of(record.occurred_at, start=first_day, now=now),
        ingestion_source=ingestion_source,
        verified_by=f"credential:{installation_id}",
        org_id=org_id,
    )
