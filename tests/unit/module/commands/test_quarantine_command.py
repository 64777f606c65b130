"""`scoring-module quarantine`: what could not be scored is listed, shown, exported, put back and dropped."""

import errno
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from command import run

from module import cli, written
from module.errors import JournalError, UnwritableError
from module.journal import Journal
from module.journal.database import NAME
from module.messages import InputMessage
from module.transports.message_files import read_messages

JSON = {"content_type": "application/json", "content_encoding": "utf-8"}
MESSAGES = [
    InputMessage(
        b'{"value": 1.00, "n": 12345678901234567890}', "amlInput", {"message_id": "m1", **JSON}, {"line": "3"}
    ),
    InputMessage(b"\x1b[2J\nseq     9 \xff", "in\x1b2", {"message_id": "m2\nseq 9"}, {"a\nb": "c\u202ed"}),
    InputMessage(b'{"value": 2}', "amlInput", {"message_id": "m3"}),
    InputMessage(b"{" + b"x" * 5000, "amlInput", JSON),
    InputMessage(b'{\n"value": 3}\n', "amlInput", JSON),
    InputMessage("ä".encode("latin-1"), "amlInput", {"content_type": "application/json; charset=latin-1"}),
    InputMessage(b"", "amlInput", JSON),
]
REASON = "run() failed: \x1b[31mno\nsecond line"


@pytest.fixture
async def journal(tmp_path: Path) -> Path:
    """Give a journal's folder with every message in the quarantine, numbered from 1."""
    journal = Journal(tmp_path / "journal")
    journal.offer(MESSAGES)
    seqs = [accepted.seq for accepted in await journal.take(len(MESSAGES))]
    assert seqs == list(range(1, len(MESSAGES) + 1))
    await journal.done(seqs, dict.fromkeys(seqs, REASON))
    await journal.release()
    return tmp_path / "journal"


def quarantine(journal: Path, *arguments: object, code: int = 0, **environment: object) -> tuple[str, str]:
    """Give what `scoring-module quarantine` prints on both streams, and see how it ends."""
    ended = run("quarantine", *arguments, cwd=journal.parent, SCORING_JOURNAL_DIR=journal, **environment)
    assert ended.returncode == code, ended.stderr
    return ended.stdout.decode(), ended.stderr.decode()


def test_the_list_shows_what_came_and_why_it_stayed(journal: Path) -> None:
    """Input, id, reason, properties and the body, cut; nothing of it that a terminal would obey."""
    said = quarantine(journal, "list")[0]
    first, second, *_ = re.split(r"\n[23]  20", said)
    assert first.startswith("1  20")
    assert all(each in first for each in ("  amlInput  m1", "no\\nsecond line", "line=3", MESSAGES[0].body.decode()))
    assert all(each in second for each in ("in\\x1b2  m2\\nseq 9", "a\\nb=c\\u202ed", "\\x1b[2J\\nseq     9 \\xff"))
    assert set(said) <= {*map(chr, range(32, 127)), "\n", "…"}
    assert len(max(said.split("\n"), key=len)) < 200


def test_one_is_shown_whole(journal: Path) -> None:
    """The body is the last: no line of it is taken for one of ours."""
    said = quarantine(journal, "show", 2)[0]
    assert said.split("\nbody\n")[1] == "\\x1b[2J\nseq     9 \\xff\n"
    assert [line.split()[0] for line in said.split("\nbody\n")[0].split("\n")] == [
        *("seq", "at", "reason", "input", "message_id", "a\\nb")
    ]
    assert "x" * 5000 in quarantine(journal, "show", 4)[0]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_json_is_the_whole_message(journal: Path, encoding: str) -> None:
    """An object a line, in UTF-8 whatever the terminal has."""
    said = [
        json.loads(line)
        for line in quarantine(journal, "list", "--json", PYTHONIOENCODING=encoding)[0].split("\n")[:-1]
    ]
    assert [each["seq"] for each in said] == [1, 2, 3, 4, 5, 6, 7]
    assert said[0].keys() == {"seq", "at", "reason", "size", "input", "system", "properties", "body"}
    assert (said[0]["reason"], said[0]["system"]["message_id"], said[0]["body"]["n"]) == (
        REASON,
        "m1",
        12345678901234567890,
    )
    assert json.loads(quarantine(journal, "show", 2, "--json")[0]) == said[1]


def test_what_is_exported_is_read_as_the_very_messages(journal: Path, tmp_path: Path) -> None:
    """Byte for byte, so that a desk scores what the device could not."""
    assert quarantine(journal, "export", "poison.jsonl")[1] == "7 written\n"
    assert list(read_messages(tmp_path / "poison.jsonl")) == MESSAGES
    assert b'"body":{"value": 1.00, "n": 12345678901234567890}' in (tmp_path / "poison.jsonl").read_bytes()
    some = quarantine(journal, "export", "-", "--only", 3, 1)[0]
    assert [json.loads(line)["system"]["message_id"] for line in some.splitlines()] == ["m1", "m3"]


def test_an_exported_message_is_scored_at_a_desk(journal: Path, tmp_path: Path) -> None:
    """By `replay --messages`, as the help says."""
    (tmp_path / "score.py").write_text("def init(): pass\ndef run(raw_data): return raw_data\n")
    quarantine(journal, "export", "poison.jsonl", "--only", 1)
    ended = run("replay", "--scoring-dir", ".", "--messages", "poison.jsonl", cwd=tmp_path)
    (answer,) = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (answer["body"]["value"], answer["system"]["correlation_id"], answer["properties"]["line"]) == (1, "m1", "3")


def test_nothing_is_written_over(journal: Path) -> None:
    """Neither an earlier export nor the journal itself; and no file is made where nothing can be in it."""
    before = (journal / NAME).read_bytes()
    assert "File exists" in quarantine(journal, "export", journal / NAME, code=2)[1]
    assert (journal / NAME).read_bytes() == before
    assert "there is no journal" in quarantine(journal.parent, "export", "new.jsonl", code=2)[1]
    assert not (journal.parent / "new.jsonl").exists()


def test_of_an_export_that_does_not_fit_nothing_is_left(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again at the same place; the sentence names the file."""
    there: list[bool] = []

    class Full(written._File):
        def write(self, data: object, /) -> int:
            there.append((journal.parent / "new.jsonl").exists())
            raise UnwritableError(f"cannot write {self._said}: No space left on device")

    monkeypatch.setattr(written, "_File", Full)
    arguments = cli._parser().parse_args(
        ["quarantine", "export", str(journal.parent / "new.jsonl"), "--journal-dir", str(journal)]
    )
    with pytest.raises(UnwritableError, match=r"^cannot write .*/new.jsonl: No space left on device$"):
        arguments.command(arguments)
    assert there
    assert list(journal.parent.glob("new*")) == []


def test_a_journal_that_may_not_be_read_is_exit_2(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence with its path."""

    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    arguments = cli._parser().parse_args(["quarantine", "list", "--journal-dir", str(journal)])
    with pytest.raises(JournalError, match=r"^the journal .*journal.sqlite3 cannot be used: Permission denied$"):
        arguments.command(arguments)
    assert JournalError.exit_code == 2


def test_put_back_and_dropped(journal: Path) -> None:
    assert quarantine(journal, "replay", "--only", 1, 2)[0] == "2 put back\n"
    assert quarantine(journal, "drop", "--only", 3)[0] == "1 dropped\n"
    assert [json.loads(line)["seq"] for line in quarantine(journal, "list", "--json")[0].splitlines()] == [4, 5, 6, 7]
    assert quarantine(journal, "drop")[0] == "4 dropped\n"
    assert quarantine(journal, "list") == ("", "")


@pytest.mark.parametrize("what", [["show", 99], ["list", "--only", 99], ["export", "-", "--only", 99]])
def test_a_message_that_is_not_there_is_exit_1(journal: Path, what: list[object]) -> None:
    """In a sentence, whatever else is there."""
    said = quarantine(journal, *what, code=1)[1].splitlines()[-1]
    assert said == "scoring-module: there is no 99 in the quarantine: scoring-module quarantine list says what there is"


def test_a_damaged_record_is_listed_stays_and_is_exit_1(journal: Path) -> None:
    """There is nothing of it to score, show or export; what is sound is done."""
    with closing(sqlite3.connect(journal / NAME)) as connection, connection:
        connection.execute("UPDATE quarantine SET message = x'c100' WHERE seq = 1")
    stays = "the records of 1 are damaged and cannot be read: they stay"
    assert "    reason" in quarantine(journal, "list", "--only", 1)[0]
    assert "its record is damaged" in quarantine(journal, "show", 1)[0]
    assert json.loads(quarantine(journal, "show", 1, "--json")[0]).keys() == {"seq", "at", "reason", "size"}
    assert quarantine(journal, "export", "-", "--only", 1, code=1) == ("", f"0 written\nscoring-module: {stays}\n")
    assert stays in quarantine(journal, "replay", "--only", 1, code=1)[1]
    assert quarantine(journal, "replay", "--only", 2) == ("1 put back\n", "")
    assert quarantine(journal, "replay", code=1) == ("5 put back\n", f"scoring-module: {stays}\n")
    assert quarantine(journal, "drop", "--only", 1) == ("1 dropped\n", "")


def test_what_is_there_is_done_and_what_is_not_is_named(journal: Path) -> None:
    for what, said in (("replay", "1 put back\n"), ("drop", "1 dropped\n")):
        out, error = quarantine(journal, what, "--only", 98, 1 if what == "replay" else 2, -5, code=1)
        assert out == said
        assert error.startswith("scoring-module: there is no -5, 98 in the quarantine")


@pytest.mark.parametrize("seq", ["x", "1e3", 2**63, "9" * 5000])
def test_what_is_no_number_is_exit_2(journal: Path, seq: object) -> None:
    """Also one that no journal can hold."""
    assert "is no number of a message" in quarantine(journal, "drop", "--only", seq, code=2)[1]


def test_without_a_journal_it_is_exit_2(tmp_path: Path) -> None:
    """The sentence names the setting; one that is misspelt is named too."""
    ended = run("quarantine", "list", "--journal-dir", tmp_path, cwd=tmp_path, SCORING_JORNAL_DIR="/journal")
    assert ended.returncode == 2
    nearest, sentence = ended.stderr.decode().splitlines()
    assert nearest == "scoring-module: SCORING_JORNAL_DIR is no setting, did you mean SCORING_JOURNAL_DIR?"
    assert sentence.startswith("scoring-module: there is no journal in")
