"""What goes into an image's last layers and its bill of materials, and what never does."""

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest

from module.errors import PackagingError, SettingsError
from module.packaging.environment.lock import Lock, bring_up_to_date, read, runtime_requirements
from module.packaging.environment.target import Target
from module.packaging.image.base import Base
from module.packaging.image.base_info import BaseImageInfo
from module.packaging.image.contents import JOURNAL, gather, key_of, runtime
from module.packaging.image.documents import bill_of_materials
from module.packaging.image.layers import pack
from module.packaging.image.slimming import slim
from module.packaging.image.wheels import Package
from module.packaging.models.folder import FolderModels
from module.packaging.registry.oci import Layout


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "helpers").mkdir(parents=True)
    for name in (
        "score.py",
        "helpers/units.py",
        "settings.json",
        "model.onnx",
        ".env",
        "telemetry.jsonl.gz",
        "requirements.lock",
        "notes.txt",
    ):
        (folder / name).write_text(name)
    return folder


def test_scripts_above_models_and_no_secret_in_either(directory: Path) -> None:
    contents = gather(directory, None, None)
    script = {entry.path for entry in contents.script if entry.source is not None}
    app = "var/azureml-app"
    assert script == {f"{app}/{name}" for name in ("score.py", "helpers/units.py", "settings.json", "notes.txt")}
    assert [entry.path for entry in contents.model if entry.source] == [f"{app}/model.onnx"]
    journal = next(entry for entry in contents.script if entry.path == JOURNAL)
    assert (journal.mode, journal.owner) == (0o750, 10001)
    assert contents.registered is not None
    assert (contents.registered.name, contents.registered.version) == ("model.onnx", 0)


def test_what_is_packed_is_what_was_hashed(directory: Path, tmp_path: Path) -> None:
    """A file saved, cut short or deleted after its hash was taken: small ones are copies, others are refused."""
    layout, large = Layout(tmp_path / "layout"), b"m" * 300_000
    for then in (b"n" * 300_000, large[:-1], b"", None):
        (directory / "score.py").write_text("A")
        (directory / "model.onnx").write_bytes(large)
        contents = gather(directory, None, None, (), tmp_path / "snapshot")
        (directory / "score.py").write_text("B")
        if then is None:
            (directory / "model.onnx").unlink()
        else:
            (directory / "model.onnx").write_bytes(then)
        with tarfile.open(layout.path(pack(layout, contents.script, "").blob.digest)) as archive:
            script = archive.extractfile("var/azureml-app/score.py")
            assert script is not None
            assert script.read() == b"A"
        assert contents.script_sha256 == hashlib.sha256(b"A").hexdigest()
        with pytest.raises(PackagingError, match=r"model\.onnx changed while the image was built: build again"):
            pack(layout, contents.model, "")
        with pytest.raises(PackagingError, match=r"model\.onnx changed"):
            contents.confirm()
    (directory / "model.onnx").write_bytes(large)
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(PackagingError, match=r"cannot write .*; make room or give another --layout"):
        gather(directory, None, None, (), tmp_path / "full")


def packed(directory: Path, *allowed: str) -> set[str]:
    return set(gather(directory, None, None, allowed).files)


PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n"
REGISTRY = '{"registryCredentials": {"r": {"address": "r.io", "username": "u", "password": "%s"}}}'
SECRETS = {
    **dict.fromkeys(("id_rsa", "ID_ED25519", "B.PEM", "Client.Key", "inner/prod.ENV", "terraform.tfstate"), b"x"),
    **dict.fromkeys(("store.p12", "store.PFX", "credentials.json", "old.tfstate.backup", "env.prod"), b"x"),
    "notes.txt": b"first\n" + PEM.encode(),
    "windows.txt": PEM.encode("utf-16"),
    "settings.json": json.dumps({"key": PEM}).encode(),
    "hub.cfg": b"HostName=h.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey=c2VjcmV0c2VjcmV0=",
    "blob.yml": b"url: DefaultEndpointsProtocol=https;AccountName=a;ACCOUNTKEY=c2VjcmV0c2VjcmV0==",
    "sas.py": b"URL = 'https://a.blob.core.windows.net/m/x?sv=1&sig=c2VjcmV0c2VjcmV0c2VjcmV0'",
    "pip.ini": b"index-url = https://user:hunter2@pypi.example/simple",
    "sql.ini": b"Server=tcp:s.database.windows.net;User=u;Password=hunter22;",
    "dockerconfig": b'{"auths": {"r.io": {"auth": "dTpw"}}}',
    "prod.json": (REGISTRY % "hunter2").encode(),
    "text.json": json.dumps({"createOptions": REGISTRY % "hunter2"}).encode(),
    "chain.pem": b"-----BEGIN CERTIFICATE-----\nMIIB\n" + PEM.encode(),
    "token.txt": b"token=hf_" + b"a" * 34,
    "der": bytes.fromhex("308204a40201000282010100"),
    "pkcs8": bytes.fromhex("308204bd020100300d06092a864886f70d0101010500"),
    "pkcs12": bytes.fromhex("3082097b02010330820941"),
    "java": bytes.fromhex("feedfeed00000002"),
    **dict.fromkeys(("env.txt", "prod.env.txt", "server.key.txt", "id_rsa.bak", "secrets.txt", "credentials~"), b"x"),
    "azure.txt": b"AZURE_CLIENT_SECRET=abc8Q~c2VjcmV0c2VjcmV0c2VjcmV0c2Vj",
    "device.json": json.dumps(
        {"symmetricKey": {"primaryKey": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTIzNDU2Nzg5MDE="}}
    ).encode(),
    "aws.py": b"boto3.client('s3', aws_access_key_id='AKIAIOSFODNN7EXAMPLE')",
    "openai.py": b"key = 'sk-proj-abc123abc123abc123abc123abc123'",
    "database.yaml": b"user: me\npassword: hunter2\n",
    "login.py": b"connect(user='u', password='hunter2')",
    "config.json": b'{"DB_PASSWORD":"hunter2"}',
    "create.json": json.dumps({"createOptions": json.dumps({"Env": ["DB_PASSWORD=hunter2"]})}).encode(),
    "rollout.json": b'{"modulesContent": {"$edgeAgent": {}}}',
    "remote.txt": b"url = https://c2VjcmV0c2VjcmV0c2VjcmV01@dev.azure.com/x",
    "middle.bin": b"bin\0" + b"x" * 300_000 + PEM.encode(),
    "late.csv": b"1,2\n" * 500_000 + PEM.encode(),
}
HARMLESS = {
    "id_rsa.pub": b"ssh-rsa AAAA",
    "secrets.py": b"import os\nkey = os.environ['KEY']\nconnection = f'AccountKey={key};SharedAccessKey={key}'\n",
    "template.json": (REGISTRY % "$CONTAINER_REGISTRY_PASSWORD").encode(),
    "cacert.pem": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "hash.txt": b"sha256=xhf_" + b"a" * 40 + b" env.h",
    "env.h": b"x",
    "urls.txt": b"https://a.example:8080/x@y redis://user:$PASSWORD@h redis://user:<password>@h http://[::1]:80/",
    "certificate.crt": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "words.json": b'{"password": 17, "private": 3, "key": 4, "auths": 5}',
    "vocab.json": b'{"password":128256,"passwd": 1281234567, "akia":1, "api_key": 12, "sk-": 3}',
    "login_.py": b"def f(password: str, password2=None): ...\npassword = os.environ['PASSWORD_1']\npassword=read(f1)\n"
    b"api_key = settings.get_api_key_from_vault_v2()\nclient_secret: Optional[SecretString12]\n"
    b"self.password = password\n",
    "schema.json": b'{"password": {"type": "string"}, "primaryKey": "device_id", "passwords": "required"}',
    "readme.md": b"password: the one of the registry\n--password-stdin\nhttps://myorganisation-of-old@dev.azure.com/x\n",
    "sample.env.example": b"DB_PASSWORD=${DB_PASSWORD}\nPASSWORD=<yours>\nPASSWORD=\n",
    "names.txt": b"sk-learn-contrib-extensions-of-ours asiaakia1234567890123456x",
    "environment.yml": b"dependencies: [numpy]",
    "weights.bin": bytes(5_000_000) + PEM.encode(),
}


@pytest.mark.parametrize("name", SECRETS)
def test_what_looks_like_a_secret_is_refused_by_its_name(directory: Path, name: str) -> None:
    """By the name in any case, or by what stands in it; packed only if that is asked for by the name."""
    file = directory / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(SECRETS[name])
    with pytest.raises(SettingsError, match=rf"{name} looks like a secret \(.*--allow {name}$") as refused:
        gather(directory, None, None)
    assert not {"hunter2", "c2Vj", "MHcC", "dTpw"} & set(str(refused.value))
    assert name in packed(directory, name)
    (directory / ".dockerignore").write_text(name)
    assert name not in packed(directory)


def test_what_only_sounds_like_a_secret_is_packed(directory: Path) -> None:
    for name, content in HARMLESS.items():
        (directory / name).write_bytes(content)
    assert packed(directory) >= set(HARMLESS)


def test_a_registered_model_is_looked_at_too(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "weights" / ".git").mkdir(parents=True)
    (tmp_path / "weights" / ".git" / "config").write_text("url = https://tokenonly@host")
    store = FolderModels(tmp_path / "store")
    model = store.register("rul", tmp_path / "weights")
    name = "azureml-models/rul/1/weights/.git/config"
    with pytest.raises(SettingsError, match=f"{name} looks like a secret"):
        gather(directory, model, store.path(model))
    assert name in gather(directory, model, store.path(model), [name]).files


def test_what_leads_out_of_the_folder_is_refused(directory: Path, tmp_path: Path) -> None:
    """A link to a file or a folder elsewhere, to nothing, in a circle; what stays inside is packed under both names."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.txt").write_text("x")
    (directory / "inner.py").symlink_to("helpers/units.py")
    (directory / "again").symlink_to("helpers")
    assert {"inner.py", "again/units.py"} <= packed(directory)
    (directory / "again").unlink()
    for to, said in (
        ("/etc/passwd", "leads out of the folder"),
        ("../other", "leads out of the folder"),
        ("nowhere", "or nowhere"),
        (".", "to a folder that it is in"),
    ):
        (directory / "helpers" / "link").symlink_to(directory / to)
        with pytest.raises(SettingsError, match=rf"/link is a link .*{said}.*: put a copy.*--allow helpers/link"):
            gather(directory, None, None)
        (directory / ".dockerignore").write_text("helpers/link")
        packed(directory)
        (directory / ".dockerignore").unlink()
        if to == "../other":
            assert "helpers/link/data.txt" in packed(directory, "helpers/link")
        (directory / "helpers" / "link").unlink()
    (directory / "helpers" / "link").symlink_to("/etc/passwd")
    with pytest.raises(SettingsError, match="link is a link that leads out"):
        FolderModels(tmp_path / "store").register("x", directory)


def test_a_link_to_what_is_left_out_is_refused(directory: Path) -> None:
    """Hidden, or named by an ignore file; a link's own name says nothing of what it brings in."""
    (directory / ".secrets").mkdir()
    (directory / ".secrets" / "p.yaml").write_text("x")
    (directory / "id_rsa").write_text("x")
    (directory / ".dockerignore").write_text("id_rsa")
    for to in (".env", ".secrets", ".secrets/p.yaml", "id_rsa", "helpers/../.env"):
        (directory / "helpers" / "conf").symlink_to(directory / to)
        with pytest.raises(SettingsError, match=r"/conf is a link to what is left out.*--allow helpers/conf$"):
            gather(directory, None, None)
        assert [name for name in packed(directory, "helpers/conf") if name.startswith("helpers/conf")]
        (directory / "helpers" / "conf").unlink()
    (directory / "again").symlink_to("helpers")
    (directory / ".dockerignore").write_text("id_rsa\nhelpers/units.py")
    assert not [name for name in packed(directory) if name.endswith("units.py")]


def test_a_name_that_is_no_text_and_a_list_that_is_no_file_are_refused(directory: Path) -> None:
    Path(os.fsdecode(os.fsencode(directory) + b"/caf\xe9.csv")).write_text("x")
    with pytest.raises(SettingsError, match=r"caf\\udce9\.csv' is no name in UTF-8: rename it"):
        gather(directory, None, None)
    for name in (".dockerignore", ".amlignore"):
        os.mkfifo(directory / name)
        with pytest.raises(SettingsError, match=rf"{name} is no file"):
            gather(directory, None, None)
        (directory / name).unlink()


def test_an_exception_of_dockerignore_brings_back(directory: Path) -> None:
    """Also what is never meant for an image: then it is looked at for secrets as any other file."""
    (directory / ".cache").mkdir()
    (directory / ".cache" / "table.bin").write_text("x")
    assert ".cache/table.bin" not in packed(directory)
    (directory / ".dockerignore").write_text("helpers\n*.txt\n!notes.txt\n!.cache\n!telemetry.jsonl.gz\n")
    assert packed(directory) == {
        *("score.py", "settings.json", "model.onnx", "notes.txt"),
        *(".cache/table.bin", "telemetry.jsonl.gz"),
    }
    (directory / ".dockerignore").write_text("!.env")
    with pytest.raises(SettingsError, match=r"\.env looks like a secret"):
        gather(directory, None, None)
    for line in ("[a", "!", "a\\", "\xff"):
        (directory / ".dockerignore").write_text(line, encoding="latin-1")
        with pytest.raises(SettingsError, match=r"\.dockerignore(: .* is no pattern)?"):
            gather(directory, None, None)


def test_what_manifest_writes_changes_no_image(directory: Path) -> None:
    before = packed(directory)
    for name in ("deployment.json", "deployment.edge-1.previous.json", "helpers/deployment.template.json"):
        (directory / name).write_text(REGISTRY % "hunter2")
    assert packed(directory) == before


def test_what_amlignore_names_is_left_out(directory: Path) -> None:
    (directory / ".amlignore").write_text("# mine\nhelpers/\n*.txt\n")
    paths = {entry.path.rpartition("/")[2] for entry in gather(directory, None, None).script if entry.source}
    assert paths == {"score.py", "settings.json"}


def test_a_registered_model_lies_where_azure_ml_has_it(directory: Path, tmp_path: Path) -> None:
    """azureml-models/name/version/file; the file of its name beside score.py is not in the image twice."""
    store = FolderModels(tmp_path / "store")
    model = store.register("rul", directory / "model.onnx")
    contents = gather(directory, model, store.path(model))
    place = "var/azureml-app/azureml-models/rul/1"
    assert [entry.path for entry in contents.model if entry.source] == [f"{place}/model.onnx"]
    assert contents.model_dir == f"/{place}"


def test_nothing_to_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has neither a score"):
        gather(tmp_path, None, None)
    with pytest.raises(SettingsError, match="no scoring directory"):
        gather(tmp_path / "nothing", None, None)


def test_the_runtime_is_in_the_image_without_caches() -> None:
    paths = [entry.path for entry in runtime()]
    assert {"opt/scoring/runtime/module/cli.py", "usr/local/bin/scoring-module"} <= set(paths)
    assert "opt/scoring/runtime/scoring/onnx/model.py" in paths
    assert not [path for path in paths if "__pycache__" in path]


def test_a_layers_key_changes_with_its_contents(directory: Path) -> None:
    before = key_of(gather(directory, None, None).script)
    assert key_of(gather(directory, None, None).script) == before
    (directory / "score.py").write_text("another")
    assert key_of(gather(directory, None, None).script) != before


def test_the_bill_of_materials_names_everything_and_is_the_same_twice(directory: Path) -> None:
    info = BaseImageInfo(system_packages={"libc6": "2.36-9"})
    base = Base("docker.io/library/python:3.12", "sha256:00", {}, [], info, remote=True)
    packages = [Package("numpy", "2.1", "BSD-3-Clause"), Package("Odd_Name", "1", "some words, not SPDX")]
    contents = gather(directory, None, None)
    text = bill_of_materials("r.io/scoring", base, packages, contents, "amd64")
    assert bill_of_materials("r.io/scoring", base, packages, contents, "amd64") == text
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    components = {each["name"]: each for each in document["components"]}
    assert components["libc6"]["purl"] == "pkg:deb/debian/libc6@2.36-9?arch=amd64"
    assert components["numpy"]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert components["Odd_Name"]["purl"] == "pkg:pypi/odd-name@1"
    assert components["model.onnx"]["type"] == "machine-learning-model"
    assert components["model.onnx"]["hashes"][0]["alg"] == "SHA-256"


def test_slimming_is_a_list_that_can_be_switched_off(tmp_path: Path) -> None:
    names = (
        "numpy/linalg/tests/test_x.py",
        "numpy/linalg/__init__.py",
        "onnxruntime/capi/libonnxruntime.so.1.31.1",
        "numpy.libs/libopenblas.so",
        "bin/f2py",
        "numpy/__init__.pyi",
        "numpy/__pycache__/x.pyc",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    slim(tmp_path, everything=True)
    assert {name for name in names if not (tmp_path / name).exists()} == {"bin/f2py", "numpy/__pycache__/x.pyc"}
    slim(tmp_path, everything=False)
    assert {name for name in names if (tmp_path / name).exists()} == {
        "numpy/linalg/__init__.py",
        "numpy.libs/libopenblas.so",
    }


def test_a_lock_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "requirements.lock"
    assert read(file) == Lock(file)
    pins = "numpy==2.1 \\\n    --hash=sha256:00\n"
    monkeypatch.setattr(
        "module.packaging.environment.lock.run_uv", lambda *said, target: Path(said[-1]).write_text(pins)
    )
    target = Target("linux/amd64", "cpu", "3.11", "2.36")
    lock = bring_up_to_date(Lock(file), ["numpy"], target, "r.io/python:3@sha256:00", upgrade=False)
    assert (lock.base, lock.pins) == ("r.io/python:3@sha256:00", pins)
    assert read(file) == lock
    file.write_text("numpy==2.1\n")
    assert read(file) == Lock(file)


def test_the_runtime_says_what_it_needs() -> None:
    cpu, gpu = runtime_requirements("cpu"), runtime_requirements("gpu")
    assert any(line.startswith("azure-iot-device") for line in cpu)
    assert [line for line in cpu if line.startswith("onnxruntime")] == ["onnxruntime>=1.20"]
    assert [line for line in gpu if line.startswith("onnxruntime")] == ["onnxruntime-gpu[cuda,cudnn]>=1.20"]
    assert not [line for line in cpu if "pytest" in line or "uv>" in line]
