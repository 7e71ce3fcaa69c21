"""Answers for API Gateway."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from makoto_common import log, tenant

Answer = dict[str, Any]
Handler = Callable[[Mapping[str, Any], Any], Answer]


def ok(body: Any, status: int = 200) -> Answer:
    """Returns an answer with a body of JSON."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"},
        "body": json.dumps(body, ensure_ascii=False),
    }


def error(status: int, message: str) -> Answer:
    """Returns an answer that names what went wrong, for whoever called."""
    return ok({"error": message}, status)


def handler(function: Handler) -> Handler:
    """Makes an exception of a function an answer; what it was is in the log alone."""

    def answer(event: Mapping[str, Any], context: Any) -> Answer:
        try:
            return function(event, context)
        except tenant.NoTenant as problem:
            return error(403, str(problem))
        except Exception:
            log.get("makoto").exception("a request failed")
            return error(500, "internal error")

    return answer
