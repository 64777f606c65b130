"""What is quoted of a file or of another program's words, without the passwords and tokens in it."""

import re

_TOKEN = re.compile(
    r"(?P<kept>[?&][\w.-]{1,64}=)[^&\s'\"`]+"  # of an address's query
    r"|(?P<channel>/t/)[^/\s]+"  # anaconda.org's
    r"|\b(?:gh[a-z]_|github_pat_|glpat-|hf_|pypi-)[\w-]{16,}"
)


def masked(text: str) -> str:
    """Give a text with ``…`` for the logins and queries of its addresses, and for tokens known by their beginning."""
    text = re.sub(r"\S+", _without_login, text)
    return _TOKEN.sub(lambda found: (found["kept"] or found["channel"] or "") + "…", text)


def _without_login(word: re.Match[str]) -> str:
    """Mask all up to the last @, since a password may have one, or a slash, in it."""
    scheme, mark, rest = word[0].partition("://")
    return f"{scheme}{mark}…@{rest.rpartition('@')[2]}" if "@" in rest else word[0]
