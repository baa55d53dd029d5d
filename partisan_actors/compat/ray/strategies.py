"""What Ray's strategies have in common here: each is the placement that it stands for, and knows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["Strategy"]


class Strategy(ABC):
    """Where work is placed, in Ray's words."""

    @abstractmethod
    def placement(self) -> Any:
        """What it is here."""
