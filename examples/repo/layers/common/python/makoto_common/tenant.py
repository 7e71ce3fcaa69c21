"""Whose request a function handles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class NoTenant(Exception):
    """An event names no tenant, or none that can exist."""


@dataclass(frozen=True)
class Tenant:
    """A customer, whose data no other one may see."""

    id: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise NoTenant("the tenant's id is not valid")

    def key(self, *parts: str) -> str:
        """Returns the key of a tenant's item in a table that all tenants share."""
        return "#".join(("TENANT", self.id, *parts))


def of(event: Mapping[str, Any]) -> Tenant:
    """Returns the tenant that the authorizer put into an event of API Gateway.

    Headers are not asked: whoever calls writes them.
    """
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    claims = (authorizer.get("jwt") or {}).get("claims") or authorizer.get("claims") or {}
    tenant = claims.get("custom:tenant_id")
    if not isinstance(tenant, str):
        raise NoTenant("the event names no tenant")
    return Tenant(tenant)
