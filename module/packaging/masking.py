"""What is quoted of a file or of another program's words, without the passwords and tokens in it."""

import re

_SECRET = re.compile(
    r"(?P<login>://)\S*(?=@)"  # a password may have a slash or an @ in it: all up to the last one is masked
    r"|(?P<query>[?&][\w.-]+=)[^&\s'\"`]+"
    r"|(?P<channel>/t/)[^/\s]+"  # anaconda.org's
    r"|\b(?:gh[a-z]_|github_pat_|glpat-|hf_|pypi-)[\w-]{16,}"
)


def masked(text: str) -> str:
    """Give a text with ``…`` for the logins and queries of its addresses, and for tokens known by their beginning."""
    return _SECRET.sub(lambda found: (found["login"] or found["query"] or found["channel"] or "") + "…", text)
