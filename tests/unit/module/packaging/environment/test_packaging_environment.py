"""myenv.yml and requirements.txt → pip requirements: every line that is dropped, changed or impossible is named."""

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from module.errors import SettingsError
from module.packaging.environment import environment
from module.packaging.environment.target import Target, check_platform, check_python
from module.packaging.image import image


def conda(tmp_path: Path, *lines: str) -> environment.Environment:
    file = tmp_path / "myenv.yml"
    file.write_text("name: x\ndependencies:\n" + "".join(f"  - {line}\n" for line in lines))
    return environment.read(file)


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("scipy=1.10", "scipy==1.10.*"),
        ("scipy=1.10.*", "scipy==1.10.*"),
        ("scipy 1.10", "scipy==1.10.*"),
        ("scipy==1.10.1", "scipy==1.10.1"),
        ("scipy=1.10.1=py311h_0", "scipy==1.10.1"),
        ('"scipy>=1.9,<2"', "scipy<2,>=1.9"),
        ("conda-forge::scipy", "scipy"),
        ("pytorch=2.1", "torch==2.1.*"),
        ("opencv", "opencv-python-headless"),
        ("sklearn", "scikit-learn"),
    ],
)
def test_conda_lines_become_pip_lines(tmp_path: Path, line: str, becomes: str) -> None:
    assert conda(tmp_path, line).requirements == [becomes]


def test_what_changed_is_said(tmp_path: Path) -> None:
    read = conda(
        tmp_path, "python=3.11", "scipy", "pytorch=2.1", "mkl", "pip:\n    - azureml-defaults\n    - pandas>=2"
    )
    assert read.requirements == ["scipy", "torch==2.1.*", "pandas>=2"]
    assert read.python == "3.11"
    pytorch, mkl, azureml = read.notes
    assert "'pytorch=2.1' became torch==2.1.*" in pytorch
    assert "'mkl' left out" in mkl
    assert "'azureml-defaults' left out" in azureml


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cudatoolkit=11.3", "exists in conda only: leave the line out and build with --variant gpu"),
        ("libgcc-ng", "exists in conda only: .*--base"),
        ('"numpy=1.24|1.26"', "has alternatives"),
        ("\"numpy[version='>=1.2']\"", "has alternatives"),
        ("pip:\n    - git+https://example.com/x", "is not a package with a version"),
        ("pip:\n    - -e .", "is not a package with a version"),
        ("pip:\n    - numpy=>1", "is no pip requirement"),
    ],
)
def test_what_pip_cannot_say_is_refused_by_name(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        conda(tmp_path, line)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "--extra-index-url https://u:s3cret@h/s"),
        ("requirements.txt", "git+https://u:s3cret@h/x"),
        ("requirements.txt", "--index-url https://s3crettoken@h/s"),
        ("requirements.txt", "foo @ https://u:p/w@s3cret@h/x.whl"),
        ("requirements.txt", "foo @ https://h/x.whl?sv=1&sig=s3cret"),
        ("requirements.txt", "foo == ghp_s3cret0123456789abcdef"),
        ("myenv.yml", "dependencies:\n- https://u:s3cret@h/s::scipy=1|2"),
        ("myenv.yml", "dependencies:\n- https://conda.anaconda.org/t/s3cret/c::cudnn"),
        ("myenv.yml", 'dependencies:\n- pip:\n  - "foo @ git+https://u:s3cret@h/x"'),
        ("myenv.yml", "dependencies:\n- pip: https://u:s3cret@h/x"),
        ("myenv.yml", "dependencies:\n- conda: {a: https://u:s3cret@h/x}"),
        ("myenv.yml", "https://u:s3cret@h/x: 1\nhttps://u:s3cret@h/x: 2"),
        ("myenv.yml", "dependencies: []\nhttps://u:s3cret@h/x: []"),
    ],
)
def test_no_password_is_quoted(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError) as refused:
        environment.read(tmp_path / name)
    assert "s3cret" not in str(refused.value)
    assert "…" in str(refused.value)


@pytest.mark.parametrize("name", ["requirements.txt", "myenv.yml"])
def test_what_is_no_utf_8_is_called_so(tmp_path: Path, name: str) -> None:
    """As PowerShell writes it, or an old editor."""
    for content in ("numpy\n".encode("utf-16"), b"numpy\n# caf\xe9"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SettingsError, match=f"{name} is no UTF-8 \\(line [12]\\): save it as UTF-8"):
            environment.read(tmp_path / name)


def test_a_file_that_grows_as_it_is_read_is_a_short_sentence(tmp_path: Path) -> None:
    """YAML's aliases make gigabytes of some lines; a line may be long, and a file."""
    file = tmp_path / "myenv.yml"
    bomb = "".join(f"{name}: &{name} [{', '.join([f'*{above}'] * 9)}]\n" for above, name in pairwise("abcdefghijkl"))
    for text in (
        f"a: &a x\n{bomb}dependencies: [*l]\n",
        f"name: &a x\ndependencies:\n{''.join(f'- {{{line}}}' + chr(10) for line in bomb.splitlines())}",
        f"dependencies:\n- pip:\n  - '{'://u@' * 100_000} x'",
        f"dependencies:\n- pip:\n  - '{'://u' * 100_000} x'",
        "x" * 2_000_000,
    ):
        file.write_text(text)
        with pytest.raises(SettingsError) as refused:
            environment.read(file)
        assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("hash_", ["md5:00", "sha256:00", "sha512:" + "0" * 128])
def test_a_hash_that_cannot_be_kept_is_refused(tmp_path: Path, hash_: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"six==1.16.0 --hash={hash_}\n")
    with pytest.raises(SettingsError, match=f"a lock cannot keep, {hash_}: name those with sha256:"):
        environment.read(tmp_path / "requirements.txt")


@pytest.mark.parametrize("text", ["a: b", "[", "dependencies: x", "dependencies: [{conda: []}]"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "myenv.yml").write_text(text)
    with pytest.raises(SettingsError, match="is no conda environment"):
        environment.read(tmp_path / "myenv.yml")


@pytest.mark.parametrize(
    ("dependencies", "said"),
    [
        ("- numpy\n  - pip:\n    - pandas\n   - scipy", "line 6: expected <block end>"),
        ("- numpy=1.2\n    scipy", "line 4 goes on with line 3: give each package a line with a dash"),
        ("- python=3.11\n    - scipy", "line 4 goes on with line 3"),
        ("- pip:\n    - pandas\n      - scipy", "line 5 goes on with line 4"),
        ("- pip:\n      pandas\n      scipy", "line 5 goes on with line 4"),
        ("- pip: pandas", "'pandas' is no list of packages"),
        ("- pip:\n    -\n    - pandas", "is no list of packages"),
        ("- pip:\n    - [pandas]", "is no list of packages"),
        ("- numpy\npip:\n  - pandas", "'pip' stands beside the dependencies"),
        ("- numpy\npip: pandas", "'pip' stands beside the dependencies"),
        ("- numpy\nextra:\n  - pandas", "'extra' stands beside the dependencies"),
        ("- numpy\ndependencies:\n  - pandas", "line 1: 'dependencies' is there twice"),
        ("- pip:\n    - pandas\n    pip:\n    - scipy", "line 3: 'pip' is there twice"),
        ("- numpy\n\t- pandas", "line 4: found character"),
    ],
)
def test_no_indentation_loses_a_package(tmp_path: Path, dependencies: str, said: str) -> None:
    (tmp_path / "myenv.yml").write_text(f"name: x\ndependencies:\n  {dependencies}\n")
    with pytest.raises(SettingsError, match=f"is no conda environment: .*{said}"):
        environment.read(tmp_path / "myenv.yml")


@pytest.mark.parametrize("blanks", ["  ", "    ", "      "])
def test_a_pip_section_is_read_however_far_it_is_indented(tmp_path: Path, blanks: str) -> None:
    """At the dash of the section itself its lines are the environment's own: they are packages all the same."""
    text = f"dependencies:\n  - numpy\n  - pip:\n{blanks}- pandas\n{blanks}- scipy\n"
    (tmp_path / "myenv.yml").write_text(text)
    assert environment.read(tmp_path / "myenv.yml").requirements == ["numpy", "pandas", "scipy"]


def test_requirements_txt(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    kept = f"--hash=sha256:{'0' * 64}"
    file.write_text(f"\ufeff# why\nnumpy>=1.26  # fast\nscipy==1.10 \\\n  {kept}\nonnxruntime\n\n")
    assert environment.find(tmp_path) == file
    assert environment.read(file).requirements == ["numpy>=1.26", f"scipy==1.10 {kept}", "onnxruntime"]
    assert environment.read(file, gpu=True).requirements[-1] == "onnxruntime-gpu"


def test_the_python_of_an_environment_has_to_be_the_base_images() -> None:
    assert check_python("3.11", "3.11", "base", any_python=False) == ""
    assert check_python("", "3.12", "base", any_python=False) == ""
    assert check_python("3", "3.12", "base", any_python=False) == ""
    with pytest.raises(SettingsError, match=r"asks for Python 3.6 .* start at 3.11\).* --any-python"):
        check_python("3.6", "3.11", "base", any_python=False)
    assert "3.6" in check_python("3.6", "3.11", "base", any_python=True)
    with pytest.raises(SettingsError, match=r"has Python 3\.9"):
        check_python("", "3.9", "base", any_python=True)


def test_a_python_that_nobody_has_is_a_sentence(tmp_path: Path) -> None:
    """Python reads no number of more than 4,300 digits."""
    for version in ("9" * 5000, "3." + "9" * 5000):
        asked = conda(tmp_path, f"python={version}").python
        with suppress(SettingsError):
            check_python(asked, "3.12", "base", any_python=False)


def test_wheels_are_chosen_by_the_base_images_glibc() -> None:
    assert Target("linux/amd64", "cpu", "3.11", "2.36").uv_platform == "x86_64-manylinux_2_36"
    assert Target("linux/arm64", "cpu", "3.11", "2.30").uv_platform == "aarch64-manylinux_2_28"
    with pytest.raises(SettingsError, match=r"glibc 2\.5"):
        _ = Target("linux/amd64", "cpu", "3.11", "2.5").uv_platform
    assert Target("linux/arm64", "gpu", "3.11", "2.36").lock_name == "requirements.arm64.gpu.lock"
    assert Target("linux/amd64", "cpu", "3.11", "2.36").lock_name == "requirements.lock"


def test_a_platform_without_wheels_is_refused() -> None:
    check_platform("linux/arm64")
    with pytest.raises(SettingsError, match="32-bit ARM"):
        check_platform("linux/arm/v7")
    with pytest.raises(SettingsError, match="choose linux/amd64 or linux/arm64"):
        check_platform("windows/amd64")


@pytest.mark.parametrize(
    ("asked", "given"), [("3.11", "3.11"), ("3.13", "3.13"), ("3.6", "3.12"), ("", "3.12"), ("3", "3.12")]
)
def test_without_a_base_image_the_environments_python_chooses_one(asked: str, given: str) -> None:
    assert image._default_base(asked) == f"docker.io/library/python:{given}-slim-bookworm"
