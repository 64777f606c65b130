"""Whether a file looks like a secret, by its name and by what stands in it: nothing such gets into an image unasked.

It is a net for accidents, not for somebody who hides a secret: archives and what is encoded are not opened.
"""

import re
from fnmatch import translate

LOOKED_AT = 4 << 20
"""Bytes of a file that are looked at, from its beginning."""

_NAMES = {
    "a private key": "id_rsa* id_dsa* id_ecdsa* id_ed25519* *.pem *.key *.ppk *.p8 *.pk8 *.gpg",
    "a key store": "*.pfx *.p12 *.pkcs12 *.jks *.keystore *.kdbx",
    "variables with passwords": "env *.env .env.* env.prod* env.dev* env.local .envrc",
    "Terraform's state or variables": "*.tfstate *.tfstate.* *.tfvars",
    "credentials": "credentials credentials.* *credentials.json client_secret*.json service?account*.json secrets.json"
    " secrets.y*ml secrets.toml secrets.ini secrets .netrc _netrc .htpasswd htpasswd .npmrc .pypirc .pgpass"
    " .git-credentials kubeconfig *.kubeconfig *.publishsettings *.azureauth .dockercfg .dockerconfigjson",
}
"""What it is → patterns of names, in lower case, without what a copy or a text adds to them."""
_ADDED = re.compile(r"(?:~|\.(?:txt|bak|backup|old|orig|save|sav|swp|copy))+$")
_FOLDERS = {".git", ".hg", ".svn", ".ssh", ".aws", ".azure", ".docker", ".kube", ".gnupg"}

_IS = r"\\*[\"']?\s{0,9}(?:=>|[:=])\s{0,9}\\*"  # after the name of a field, before its value; in JSON in JSON too
_LONG = _IS + r"[\"']?(?=[\w+/~.-]{0,200}\d)[\w+/~.-]{16,200}={0,2}(?![\w(\[.])"
_WORD = (
    _IS
    + r"(?:[\"'](?!(?:string|required|optional|password|secret|changeme|example|[x*.]+)\\*[\"'])[^\s\"'${<\\]{6,200}"
    r"\\*[\"']|(?=[^\s\"']{0,200}\d)(?!\d+(?:\W|$))[^\s\"'${<(\[,]{6,200}(?:\\*[\"',]|\s|$))"
)

_TEXTS = {
    "a private key": {"private key": r" ?(?:block)?-{4}", "putty-user-key-file-": r"\d"},
    "a connection string": {
        **dict.fromkeys(("sharedaccesskey", "accountkey", "sharedaccesssignature"), r"\s*=\s*[a-z0-9+/%]{8}"),
        "://": r"(?:[^\s/@:'\"]{1,64}:[^\s/@:'\"${<*]{3,200}"
        r"|(?=[\w~.%-]*\d)[\w~.%-]{20,200}(?::[^\s/@]{0,200})?)@[\w.-]+",
        **dict.fromkeys(("?sig=", "&sig="), r"[a-z0-9%+/]{20}"),
        **dict.fromkeys((";password", "; password", ";pwd", "; pwd"), r"\s*=\s*[^\s;\"'${<]{4}"),
    },
    "a login to a registry": {
        '"auths"': r'\s*:\s*\{[^}]{0,500}"(?:auth|identitytoken|password)"\s*:\s*"[^"$]',
        "registrycredentials": r'[\s\S]{0,9000}?"password\\*"\s*:\s*\\*"[^"$\\]',
        ".dockerconfigjson": r'"?\s*:\s*"?[a-z0-9+/=]{16}',
    },
    "a client's secret": {
        **dict.fromkeys(('client_secret"', 'clientsecret"', 'private_key"'), r'\s*:\s*"[^"${<]'),
        **dict.fromkeys(("client_secret", "clientsecret", "secret_access_key", "secret_key", "secretkey"), _LONG),
    },
    "a password": dict.fromkeys(("password", "passwd", "passphrase"), _WORD),
    "a key": {
        **dict.fromkeys(("primarykey", "secondarykey", "primary_key", "secondary_key", "accountkey"), _LONG),
        **dict.fromkeys(("api_key", "api-key", "apikey", "account_key", "shared_access_key", "access_key"), _LONG),
        "akia": r"(?<![\w+/-]akia)[a-z0-9]{16}(?![\w+/=])",
    },
    "a deployment, which may carry secrets": {'"modulescontent"': r'\s*:\s*\{\s*"\$edge'},
    "a token": {
        **{word: rf"(?<![\w-]{word})[a-z0-9]{{36}}" for word in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")},
        **dict.fromkeys(("auth_token", "access_token", "refresh_token", "identity_token"), _LONG),
        **{word: rf"(?<![\w-]{word})(?=[\w-]{{0,200}}\d)[\w-]{{20}}" for word in ("sk-", "sk_live_")},
        **{"github_pat_": r"\w{40}", "hf_": r"(?<![\w-]hf_)[a-z0-9]{30}", "glpat-": r"[\w-]{20}", "xoxb-": r"\w{10}"},
    },
}
"""What it is → a word that stands in it → the regular expression of what follows; all in lower case."""

_BYTES = {
    "a private key": rb"\x30(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01(?:\x00(?:\x30|\x02[\x81\x82])|\x01\x04)"
    rb"|\x30(?:[\x00-\x7f]|\x81.|\x82..)\x30.{1,6}\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d",
    "a key store": rb"\x30(?:\x81.|\x82..|\x83...|\x80)\x02\x01\x03\x30"
    rb"|\xfe\xed\xfe\xed|\xce\xce\xce\xce|\x03\xd9\xa2\x9a",
}
"""What it is → how such a file begins: PKCS #1 and #8, SEC 1; PKCS #12, JKS, JCEKS, KeePass."""

_BY_NAME = {what: re.compile("|".join(map(translate, names.split()))) for what, names in _NAMES.items()}
_BY_TEXT = [
    (what, word.encode(), re.compile(tail.encode())) for what, words in _TEXTS.items() for word, tail in words.items()
]
_BY_START = {what: re.compile(start, re.DOTALL) for what, start in _BYTES.items()}


def secret_in(path: str, data: bytes) -> str:
    """Say what secret a file looks like, and by what: ``a private key, by its name``; empty if it looks like none.

    Args:
        path: its path inside the folder.
        data: its first LOOKED_AT bytes.
    """
    *folders, name = path.lower().split("/")
    if hidden := _FOLDERS.intersection(folders):
        return f"{min(hidden)} is for one machine"
    is_public = name.endswith((".pub", ".py", ".example", ".sample", ".template")) or (
        name.endswith(".pem") and b"-----BEGIN CERTIFICATE-----" in data
    )
    for what, names in _BY_NAME.items():
        if not is_public and any(names.match(each) for each in (name, _ADDED.sub("", name))):
            return f"{what}, by its name"
    for what, start in _BY_START.items():
        if start.match(data):
            return f"{what}, by how it begins"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, as PowerShell writes
        data = data.replace(b"\0", b"")
    data = data.lower()
    for what, word, tail in _BY_TEXT:
        at = data.find(word)  # many times as fast as a regular expression
        while at >= 0:
            if tail.match(data, at + len(word)):
                return f"{what}, in line {data.count(10, 0, at) + 1}"
            at = data.find(word, at + 1)
    return ""
