"""`Problem`: what a visitor is told who asked for what cannot be had, in the form of RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

__all__ = ["PROBLEM_TYPE", "Problem"]

PROBLEM_TYPE: Final = "application/problem+json"


class Problem(Exception):
    """An answer that is none: its status, and a sentence that says what to do.

    `headers` go with it.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            # Here Jaeger's clients look for it.
            "errors": [{"code": self.status, "msg": self.detail}],
        }
