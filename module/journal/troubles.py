"""What the journal cannot do at present: written, read, shortened; each ends by itself when it is possible again."""

import logging
import time

from .database import DAMAGE, says

_QUIET = 3.0
"""Seconds without a failure after which something counts as possible again: on a full volume it comes and goes."""

_log = logging.getLogger(__name__)


class Troubles:
    """What is wrong at present; told by whoever offers and by the journal's thread.

    Attributes:
        sentence: what is wrong, empty if all is well.
        damage: in a sentence, why no retry will help; empty as long as one may.
    """

    def __init__(self) -> None:
        self.sentence = self.damage = ""
        self._sentences: dict[str, str] = {}
        self._last: dict[str, float] = {}
        self._works: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._sentences)

    def add(self, doing: str, error: Exception | str) -> None:
        """Remember that something cannot be done, such as "written"; logged once."""
        sentence = f"the journal cannot be {doing}: {error}"
        if doing not in self._sentences:
            _log.error("%s; nothing is acked until it can be", sentence)
        self._sentences[doing] = self.sentence = sentence
        self._last[doing] = time.monotonic()
        self._works.discard(doing)
        if says(error, DAMAGE):
            self.damage = f"{sentence}; the next start saves what can be read"

    def end(self, doing: str) -> None:
        """Hear that something works; cheap when it always did."""
        if doing in self._sentences:
            self._works.add(doing)
            self.settle()

    def settle(self) -> None:
        """Let go of what has worked since, and has not failed again for a while."""
        for doing in [doing for doing in self._works if time.monotonic() - self._last[doing] >= _QUIET]:
            self._works.remove(doing)
            del self._sentences[doing]
            self.sentence = "; ".join(tuple(self._sentences.values()))
            _log.warning("the journal can be %s again", doing)
