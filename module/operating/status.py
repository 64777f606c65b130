"""What the module says of itself: on the status page, on /readyz and in the twin's reported properties."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..logs import visible


@dataclass
class Status:
    """Whether the module can serve, and facts about it; what it says has a form in UTF-8, whatever was in an error.

    Attributes:
        not_ready: why it cannot serve; empty once it can.
        facts: name → value or what gives it, in camelCase as twins have it.
        trouble: says why a started module cannot serve at present, empty if it can.
    """

    not_ready: str = "starting"
    facts: dict[str, str | Callable[[], str]] = field(default_factory=dict)
    trouble: Callable[[], str] = str

    def why_not_ready(self) -> str:
        """Say why the module cannot serve at present, empty if it can."""
        return visible(self.not_ready or self.trouble())

    def failed(self, sentence: str) -> None:
        """Remember the last error."""
        self.facts["lastError"] = sentence

    def report(self) -> dict[str, str]:
        """Give status and facts together."""
        facts = {name: visible(fact if isinstance(fact, str) else fact()) for name, fact in self.facts.items()}
        return {"status": self.why_not_ready() or "ready", **facts}

    def summary(self) -> str:
        """Give the facts in one line for the log."""
        return ", ".join(f"{name} {value}" for name, value in self.report().items() if value and name in self.facts)
