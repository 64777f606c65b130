"""The classic kind, ``def run(raw_data)``: the whole body as text."""

from ...bodies.codecs import Body, decode_text
from ..answering import Answering
from .one_at_a_time import CONTEXT, OneAtATime
from .run_function import Awaiting, RunFunction


class Classic(OneAtATime):
    """A script that parses the body itself."""

    kind = "classic"

    def __init__(self, run: RunFunction, answering: Answering, awaiting: Awaiting, merge_mode: str) -> None:
        """See OneAtATime, and its merge().

        Raises:
            ScriptError: run() has a parameter that no message fills.
        """
        super().__init__(run.taking_context(CONTEXT), answering, awaiting)
        self.merge(merge_mode, text=True)

    def decode(self, body: Body) -> object:
        """Give the text, with the headers where run() asks for them."""
        text = decode_text(body)
        return {self.run.name: text, **self.headers_of(body)} if self.run.headers else text
