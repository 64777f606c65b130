"""A request fails for a reason outside of it: memory, network, a device. How long is that believed? Only decides.

What is called transient has to be shown to be: a request that has failed so a number of times runs alone, and then one
behind it in line goes first. If that fails too, the reason may lie outside, and both wait; the next time it is another
one, since they may be alike. If it succeeds, and the first one fails once more right after it, it is the request. No
message is scored twice to find that out: where none is behind it, it is the sample that its author has put beside the
script, or it waits for the next message.

A command without a hub gives up instead: somebody waits for its end. After its tries a request fails; those behind it
are then tried once each, until one succeeds.
"""

from typing import Final, Literal

SAMPLE: Final = -1
"""The place of a request that is in no line: the script's sample."""

_PAUSE, _MAX_PAUSE = 0.5, 60.0
"""Seconds between two tries: the first, the longest."""

_MAX_PAUSE_GIVING_UP = 1.0


class Patience:
    """One line's memory of the request that holds it up."""

    def __init__(self, tries: int, *, has_sample: bool = False, gives_up: bool = False) -> None:
        """Take the number of tries after which a request has to prove that it is not at fault, or is given up."""
        self._tries = max(1, tries - 1) if gives_up else tries
        self._gives_up = gives_up
        self._max_pause = _MAX_PAUSE_GIVING_UP if gives_up else _MAX_PAUSE
        self._has_sample = has_sample
        self._stuck: object = None
        self._failures = 0
        self._step: Literal["batch", "stuck", "other", "proof"] = "batch"
        self._pause = 0.0
        self._other = self._probes = 0

    @property
    def pause(self) -> float:
        """Seconds to wait before the next batch."""
        return 0.0 if self._step in ("other", "proof") else self._pause

    def place(self) -> int | None:
        """Give the place in line of the request that has to run alone next, or SAMPLE; None for a batch as usual."""
        return {"batch": None, "stuck": 0, "other": self._other, "proof": 0}[self._step]

    def succeeded(self) -> None:
        """Hear that nothing in the last batch failed for a transient reason."""
        if self._step == "other":
            self._step = "proof"
        else:
            self._stuck, self._failures, self._step, self._pause = None, 0, "batch", 0.0

    def failed(self, request: object, waiting: int) -> bool:
        """Hear that a request failed for a transient reason; True if it was shown to be its own fault, or is given up.

        Args:
            request: the failed one.
            waiting: how many are in line, this one included.
        """
        if self._step == "proof":
            self.succeeded()
            return True
        if self._step == "other":
            self._step = "stuck"
            return False
        if self._step == "stuck" and self._gives_up:
            return True  # still "stuck": the next one runs alone, too
        if request is not self._stuck:
            self._stuck, self._failures, self._pause, self._probes = request, 0, 0.0, 0
        self._failures += 1
        self._pause = min(max(2 * self._pause, _PAUSE), self._max_pause)
        if self._step == "stuck" and waiting > 1:
            self._step = "other"
            self._probes = self._probes % (waiting - 1) + 1
            back, front = divmod(self._probes, 2)  # from both ends of the line to its middle
            self._other = waiting - 1 - back if front else back
        elif self._step == "stuck" and self._has_sample:
            self._step, self._other = "other", SAMPLE
        elif self._failures >= self._tries:
            self._step = "stuck"
        return False
