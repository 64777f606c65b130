"""Real parts on this machine: a registry with TLS, a token server as Azure Container Registry has one, base images."""

import base64
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import trustme
from addresses import free_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from http_stub import Answer, Asked, serving

USER, PASSWORD = "pusher", "kept-from-every-log"
BASES = Path(__file__).parents[2] / "build" / "bases"
_PACKAGES = "python3,libpython3.11-stdlib,libstdc++6,ca-certificates"


def needs(*programs: str) -> None:
    """Skip a test whose programs are not installed, and say how to get them."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} missing: run .ci/install-container-parts as root in a VM, which has them from Debian"
        )


def base_image(architecture: str) -> Path:
    """Give a root file system of Debian with Python 3.11, made once: configured, or only unpacked if it is not ours."""
    needs("mmdebstrap")
    ours = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip() == architecture
    variant, extra = ("essential", "") if ours else ("extract", ",python3.11,libc6,base-files,dash")
    return debian(BASES / f"debian-{architecture}.tar", variant, architecture, _PACKAGES + extra)


def debian(file: Path, variant: str, architecture: str, packages: str) -> Path:
    """Give a root file system of Debian with these packages, made once."""
    needs("mmdebstrap")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", f"--variant={variant}", f"--arch={architecture}", f"--include={packages}"]
        unfinished = file.with_name(f"unfinished-{file.name}")  # mmdebstrap goes by the name's end
        subprocess.run([*command, "bookworm", str(unfinished)], check=True)
        unfinished.rename(file)
    return file


class Certificates:
    """An authority of this test run and a certificate for localhost."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        self.ca, self.key, self.chain = folder / "ca.pem", folder / "key.pem", folder / "chain.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        leaf.private_key_pem.write_to_path(str(self.key))
        leaf.cert_chain_pems[0].write_to_path(str(self.chain))


class Registry:
    """Debian's docker-registry on loopback.

    Attributes:
        host: ``localhost:PORT``.
        folder: where it keeps its blobs.
        ca: the certificate authority to trust.
    """

    def __init__(self, folder: Path, auth: str = "", *, certificates: Certificates, data: Path | None = None) -> None:
        self.port, self.folder, self.ca = free_port(), data or folder / "data", certificates.ca
        self.host = f"localhost:{self.port}"
        self._log = folder / "registry.log"
        self._config = folder / "registry.yml"
        tls = f"tls: {{certificate: {certificates.chain}, key: {certificates.key}}}"
        self._config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.folder}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: 127.0.0.1:{self.port}, {tls}, secret: x}}\n{auth}"
        )

    def start(self) -> None:
        """Start it and wait until it listens."""
        command = ["docker-registry", "serve", str(self._config)]
        with self._log.open("ab") as log:  # an environment of its own: REGISTRY_… variables would be settings
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": "/usr/bin:/bin"})
        wait_for_port(self.port)

    def stop(self) -> None:
        """Stop it at once, as when its machine restarts."""
        self._process.kill()
        self._process.wait()

    def tags(self, repository: str) -> list[str]:
        """Give the tags that its storage has."""
        folder = self.folder / "docker/registry/v2/repositories" / repository / "_manifests/tags"
        return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []

    def log(self) -> str:
        """Give what it logged."""
        return self._log.read_text()


def htpasswd(folder: Path) -> str:
    """Give the auth section for one user with a password."""
    needs("htpasswd")
    file = folder / "htpasswd"
    made = subprocess.run(["htpasswd", "-niB", USER], input=PASSWORD, capture_output=True, text=True, check=True)
    file.write_text(made.stdout)
    return f"auth: {{htpasswd: {{realm: test, path: {file}}}}}\n"


class TokenServer:
    """Gives tokens as ACR does: ``/oauth2/token`` for a password or a refresh token, ``/oauth2/exchange``.

    Attributes:
        actions: what it grants, whoever asks.
        asked: ``GET /oauth2/token scope scope`` and the like, in order.
        entra, refresh: the only Entra and refresh token that it takes.
    """

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.actions = ["pull", "push"]
        self.asked: list[str] = []
        self.entra, self.refresh = "an-entra-token", "a-refresh-token"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.port = 0
        self.bundle = folder / "token-signer.pem"
        self._certificate = _self_signed(self._key)
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.chain, certificates.key)

    def auth(self) -> str:
        """Give the registry's auth section."""
        realm = f"https://localhost:{self.port}/oauth2/token"
        return f"auth: {{token: {{realm: '{realm}', service: test, issuer: test, rootcertbundle: {self.bundle}}}}}\n"

    @contextmanager
    def serving(self) -> Iterator["TokenServer"]:
        """Serve until the block ends."""
        with serving(self.answer, self._context) as self.port:
            yield self

    def answer(self, asked: Asked) -> Answer:
        """Answer one request."""
        form = parse_qs(asked.body.decode()) if asked.method == "POST" else asked.query
        scopes = [scope for text in form.get("scope", []) for scope in text.split()]
        self.asked.append(f"{asked.method} {asked.path} {' '.join(scopes)}".strip())
        if asked.path == "/oauth2/exchange":
            if form.get("access_token") == [self.entra]:
                return Answer(200, {"refresh_token": self.refresh})
            return _unauthorized("AADSTS700082: the token has expired")
        password = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        given = asked.headers.get("Authorization", "")
        if given != f"Basic {password}" and form.get("refresh_token") != [self.refresh]:
            return _unauthorized("authentication required")
        return Answer(200, {"access_token": self._token(scopes)})

    def _token(self, scopes: list[str]) -> str:
        access = []
        for scope in scopes:
            kind, name, asked = scope.split(":")
            access.append({"type": kind, "name": name, "actions": [a for a in asked.split(",") if a in self.actions]})
        now = int(time.time())
        claims = {"iss": "test", "aud": "test", "sub": USER, "nbf": now - 5, "iat": now, "exp": now + 300, "jti": "1"}
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        signed = f"{_url64(json.dumps(header).encode())}.{_url64(json.dumps({**claims, 'access': access}).encode())}"
        r, s = utils.decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _unauthorized(message: str) -> Answer:
    return Answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": message}]})


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    from datetime import UTC, datetime, timedelta

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "token signer")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )


def wait_for_port(port: int, limit: float = 10.0) -> None:
    """Wait until somebody listens there."""
    until = time.monotonic() + limit
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
