"""Shared access signatures open the hub only for the right module, key and time."""

from urllib.parse import quote

import pytest

from module.simulator.edge_hub import sas

KEY = b"k" * 32
RESOURCE = "hub.example/devices/d/modules/m"


def token(resource: str = RESOURCE, key: bytes = KEY, expiry: object = 2000) -> str:
    uri = quote(resource, safe="")
    signature = quote(sas.sign(key, f"{uri}\n{expiry}".encode()), safe="")
    return f"SharedAccessSignature sr={uri}&sig={signature}&se={expiry}"


def test_a_good_token_tells_when_it_expires() -> None:
    assert sas.check(token(), KEY, RESOURCE, now=1000) == 2000


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("", "not a shared access signature"),
        (token(resource="hub.example/devices/d/modules/other"), "is for 'hub.example/devices/d/modules/other'"),
        (token(key=b"x" * 32), "signature is wrong"),
        (token().replace("se=2000", "se=9000"), "signature is wrong"),
        (token(expiry=999), "has expired"),
        (token(expiry="soon"), "has expired"),
        ("SharedAccessSignature sr=&sig=é", "is for ''"),
    ],
)
def test_a_bad_token_says_why(password: str, sentence: str) -> None:
    with pytest.raises(sas.TokenError, match=sentence):
        sas.check(password, KEY, RESOURCE, now=1000)
