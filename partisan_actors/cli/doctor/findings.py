"""What the doctor says: a finding, how grave it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from partisan_actors.telemetry.wording import some

__all__ = ["ERROR", "NOTE", "OK", "SEVERITIES", "WARNING", "Finding", "alike_together", "graver_first", "share_text"]

OK: Final = "ok"
NOTE: Final = "note"
WARNING: Final = "warning"
ERROR: Final = "error"
# From the gravest. An error does not work now; a warning may not soon, or elsewhere; a note is no trouble.
SEVERITIES: Final = (ERROR, WARNING, NOTE, OK)


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` says what was looked at, `where` on which node or host; `remedy` is empty when nothing is to be done."""

    severity: str
    check: str
    where: str
    text: str
    remedy: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def graver_first(findings: Iterable[Finding]) -> list[Finding]:
    """The gravest first, otherwise in the order in which they were found."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def alike_together(findings: Iterable[Finding]) -> list[Finding]:
    """Those that say the same of several nodes, as nodes of one host do of its memory, as one of all of them."""
    same: dict[tuple[str, str, str, str], list[str]] = {}
    for each in findings:
        same.setdefault((each.severity, each.check, each.text, each.remedy), []).append(each.where)
    return [
        Finding(severity, check, some(where), text, remedy) for (severity, check, text, remedy), where in same.items()
    ]


def share_text(part: float, whole: float) -> str:
    """How much of it that is."""
    return f"{100 * part / whole:.0f} %" if whole else "all"
