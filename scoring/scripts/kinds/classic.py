"""The classic kind, ``def run(raw_data)``: the whole body as text."""

from ...bodies.codecs import Body, decode_text
from .one_at_a_time import OneAtATime


class Classic(OneAtATime):
    """A script that parses the body itself."""

    kind = "classic"
    is_text = True

    def decode(self, body: Body) -> object:
        """Give the text."""
        return decode_text(body)
