"""Logs as JSON, a line an event, for CloudWatch Logs Insights."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, TextIO

_HIDDEN = ("authorization", "cookie", "password", "secret", "token")


def hide(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns fields without the values of those that hold secrets by their name."""
    return {k: "***" if any(h in k.lower() for h in _HIDDEN) else v for k, v in fields.items()}


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"level": record.levelname, "message": record.getMessage(), "logger": record.name}
        line.update(hide(getattr(record, "fields", {})))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def get(name: str, stream: TextIO | None = None) -> logging.Logger:
    """Returns a logger that writes JSON; fields go into extra={"fields": {...}}."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        handler = logging.StreamHandler(stream or sys.stdout)
        handler.setFormatter(_Lines())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # Lambda's own handler would write it once more
    return logger
