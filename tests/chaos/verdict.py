"""Compares what the hub saw with what the oracle knows: lost, invented, altered, out of order, too often."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from . import oracle
from .bodies import TAG, Input
from .hub import Delivery, Output, Record
from .oracle import ERROR, Answer

UNCONFIRMED = 64
"""SCORING_MAX_UNCONFIRMED's default: outputs that may come again after a connection has ended (docs/delivery.md)."""

_SURELY_DONE = 3.0
"""Seconds after which a confirmed answer must have left the journal, on a busy machine too."""
_SURELY_HEARD, _HEARD_AFTER_SILENCE = 1.5, 15.0
"""Seconds after which the module must have heard of a confirmation, where the wire is clear and where it was not: what
is sent into a silence is lost with the connection that ends it."""
_OWN_ID = re.compile(r"[0-9a-fA-F-]{8,}-\d+")
"""How the id of an answer begins whose message has none: the journal's name and the message's number."""


@dataclass
class Story:
    """What happened in a round, as far as it is needed to judge it.

    Attributes:
        ends: when connections ended.
        deaths: when lives ended.
        clear: the wire carried everything at once as long as a connection lasted.
        admitted: messages that the module said it has lost, after damage that the round did to its journal.
        damaged: the round has flipped bits of the journal.
        hindered: the module could not always hear a confirmation or write that it did.
        replayed: the quarantine was put back.
    """

    script: str
    inputs: list[Input]
    record: Record
    unconfirmed: int = UNCONFIRMED
    ends: list[float] = field(default_factory=list)
    deaths: list[float] = field(default_factory=list)
    clear: bool = False
    admitted: int = 0
    damaged: bool = False
    hindered: bool = False
    replayed: bool = False


@dataclass
class Verdict:
    """What is wrong, in sentences; and how many answers came more than once."""

    violations: list[str] = field(default_factory=list)
    duplicates: int = 0


class _Class:
    """All inputs of one tag, which are equal, and all that answered them."""

    def __init__(self, given: Input) -> None:
        self.given = given
        self.deliveries: list[list[Delivery]] = []
        self.outputs: list[Output] = []

    @property
    def least(self) -> int:
        """How many answers there must be: one each, but equal ones may be taken for a redelivery where the docs say so.

        A message is surely one of its own if it came only on the connection on which the first of its class came.
        """
        delivered = [each for each in self.deliveries if each]
        if not delivered:
            return 0
        if not self.given.message_id:
            return len(delivered)
        first = delivered[0][0].connection
        sure = sum(1 for each in delivered if {delivery.connection for delivery in each} == {first})
        return max(1, sure)


def judge(story: Story) -> Verdict:
    """Give the verdict at the end of a round, when everything should be answered."""
    verdict = Verdict()
    classes, strangers = _sorted(story)
    verdict.violations += [f"invented: {_short(each)} belongs to no input" for each in strangers]
    unanswered: list[str] = []
    for each in classes.values():
        found = _answers_of(each)
        if not found:
            if () not in oracle.answers(story.script, each.given):
                unanswered.append(f"{each.given.tag} ({each.given.kind})")
            continue
        verdict.violations += _wrong(story, each, found)
        verdict.duplicates += _extra(each, found, story)
        if not (story.damaged or story.hindered or story.replayed):
            verdict.violations += _again_though_confirmed(story, each, found)
    if len(unanswered) > story.admitted or (unanswered and not story.damaged):
        admitted = f", the module admitted {story.admitted}" if story.damaged else ""
        named = ", ".join(unanswered[:8])
        verdict.violations.append(f"lost: {len(unanswered)} inputs have no answer{admitted}: {named}")
    bound = story.unconfirmed * story.record.ended
    if verdict.duplicates > bound and not story.replayed:
        verdict.violations.append(f"{verdict.duplicates} duplicates: at most {bound} after {story.record.ended} ends")
    verdict.violations += _disorder(story, classes)
    return verdict


def pending(story: Story) -> list[str]:
    """Name the inputs that wait for an answer still; those for which nothing may leave do not."""
    classes, _ = _sorted(story)
    return [f"{tag} {each.given.kind}" for tag, each in classes.items() if _waits(story, each)]


def _waits(story: Story, each: _Class) -> bool:
    alternatives = oracle.answers(story.script, each.given)
    fewest = min((len(answers) for answers in alternatives), default=1)
    return len(each.outputs) < fewest * (max(1, each.least) if each.given.message_id else 1)


def _sorted(story: Story) -> tuple[dict[int, _Class], list[Output]]:
    classes: dict[int, _Class] = {}
    for given, deliveries in zip(story.inputs, story.record.deliveries, strict=True):
        each = classes.setdefault(given.tag, _Class(given))
        each.deliveries.append(deliveries)
    strangers = []
    for output in story.record.outputs:
        tag = output.properties.get(TAG, "")
        known = classes.get(int(tag)) if tag.isdigit() else None
        if known is None:
            strangers.append(output)
        else:
            known.outputs.append(output)
    return classes, strangers


Found = dict[str, list[Output]]
"""Message id → all outputs with that id, in order."""


def _answers_of(each: _Class) -> Found:
    """Give what answered a class, by message id."""
    found: Found = defaultdict(list)
    for output in each.outputs:
        found[output.system.get("$.mid", "")].append(output)
    return found


def _wrong(story: Story, each: _Class, found: Found) -> list[str]:
    """Say what is not as the oracle says."""
    said = []
    name = f"input {each.given.tag} ({each.given.kind})"
    for copies in found.values():
        said += [
            f"altered: {name} was answered by {_short(before)}, then under the same id by {_short(after)}"
            for before, after in pairwise(copies)
            if _content(before) != _content(after)
        ]
        said += _carried_wrongly(name, each.given, copies[0])
    groups = _groups(each, found)
    if not groups:
        return [*said, f"wrong id: {name} was answered under {list(found)[:3]}"]
    for group in groups:
        said += _unlike_the_oracle(story, each, group, name)
    deliveries = sum(len(times) for times in each.deliveries)
    if len(groups) > deliveries:
        said.append(f"invented: {name} came {deliveries} times and has {len(groups)} answers")
    fewest = min((len(v) for v in found.values()), default=0)
    if each.given.message_id and fewest < each.least:
        said.append(f"lost: {name} came {each.least} times on one connection and has {fewest} answers")
    return said


def _groups(each: _Class, found: Found) -> list[dict[str, Output]]:
    """Give the whole answers: one where the message has an id, else one for each number that the module gave it."""
    firsts = {identity: copies[0] for identity, copies in found.items()}
    if each.given.message_id:
        return [firsts]
    groups: dict[str, dict[str, Output]] = defaultdict(dict)
    for identity, output in firsts.items():
        own = identity.split(".")[0]
        if not _OWN_ID.fullmatch(own):
            return []
        groups[own][identity] = output
    return list(groups.values())


def _unlike_the_oracle(story: Story, each: _Class, group: dict[str, Output], name: str) -> list[str]:
    alternatives = oracle.answers(story.script, each.given)
    actual = sorted(_answer(output) for output in group.values())
    wanted = [sorted(_comparable(answer) for answer in answers) for answers in alternatives]
    if (wanted and actual not in wanted) or (not wanted and len(actual) != 1):
        some = " | ".join(" + ".join(f"{output}: {body[:150]}" for output, body in one) for one in [actual, *wanted])
        return [f"wrong answer: {name}: {some}"]
    if not each.given.message_id:
        return []
    count: dict[str, int] = defaultdict(int)
    right = set()
    for output in sorted(group.values(), key=lambda one: one.at):
        right.add(oracle.message_id(each.given, output.output, count[output.output]))
        count[output.output] += 1
    return [] if right == set(group) else [f"wrong id: {name}: {sorted(group)} in place of {sorted(right)}"]


def _answer(output: Output) -> tuple[str, str]:
    if output.properties.get("AzureMLResponse") == "ERROR":
        return output.output, "an error"
    try:
        return output.output, oracle.canonical(json.loads(output.body))
    except ValueError:
        return output.output, f"no JSON: {output.body[:60]!r}"


def _comparable(answer: Answer) -> tuple[str, str]:
    return answer.output, "an error" if answer.body is ERROR else answer.body


def _carried_wrongly(name: str, given: Input, output: Output) -> list[str]:
    """Say what of the input's properties and ids is not on the answer, and whether an error says what it should."""
    said = []
    is_error = output.output == "errors"
    carried = {n: v for n, v in output.properties.items() if n != "AzureMLResponse"}
    if given.kind == "do swallowed" and carried.pop("scoringSuspect", "") != "error-result":
        said.append(f"unmarked: {name}: an error that the script has caught leaves as a prediction")
    if carried != given.properties and not (is_error and carried.items() <= given.properties.items()):
        said.append(f"altered: {name}: properties {str(carried)[:200]} in place of {str(given.properties)[:200]}")
    correlation = given.system.get("correlation_id") or given.message_id
    if correlation and output.system.get("$.cid") != correlation and given.kind != "topic's end":
        said.append(f"altered: {name}: correlation id {output.system.get('$.cid', '')[:80]!r}")
    if is_error != (output.properties.get("AzureMLResponse") == "ERROR"):
        said.append(f"wrong: {name}: {output.properties.get('AzureMLResponse')} on {output.output}")
    if is_error:
        said += _error_says(name, given, output.body)
    return said


def _error_says(name: str, given: Input, body: bytes) -> list[str]:
    try:
        document = json.loads(body)
        original = document["original"]
        ok = {"type", "message"} <= set(document["error"])
    except (ValueError, KeyError, TypeError):
        return [f"wrong: {name}: its errors message is no document: {body[:200]!r}"]
    if given.value is not None and not original["truncated"] and "body" in original:
        ok = ok and oracle.canonical(original["body"]) == oracle.canonical(given.value)
    return [] if ok else [f"altered: {name}: its errors message says {body[:200]!r}"]


def _content(output: Output) -> tuple[object, ...]:
    system = {name: value for name, value in output.system.items() if name != "$.ctime"}
    if output.output == "errors":  # the sentence may tell another story the second time; the original may not
        return output.output, system, output.properties
    return output.output, output.body, system, output.properties


def _extra(each: _Class, found: Found, story: Story) -> int:
    members = len(each.deliveries) if each.given.message_id else 1
    return sum(max(0, len(copies) - members) for copies in found.values())


def _again_though_confirmed(story: Story, each: _Class, found: Found) -> list[str]:
    """Say which answers came again though the module had long known them to be stored and nothing had ended since."""
    if len(each.deliveries) > 1:
        return []
    said = []
    for identity, copies in found.items():
        for before, after in pairwise(copies):
            at, heard = before.confirmed, _SURELY_HEARD if story.clear else _HEARD_AFTER_SILENCE
            died = any(0 <= death - at <= _SURELY_DONE for death in story.deaths)
            cut = any(0 <= end - at <= heard for end in story.ends)
            if at and not died and not cut:
                late = after.at - at
                said.append(f"answered twice: {identity[:60]} again {late:.1f} s after its confirmation")
    return said


def _disorder(story: Story, classes: dict[int, _Class]) -> list[str]:
    """Say which answers came before that of an earlier input, by output; at their first time."""
    place: dict[int, int] = {}
    for number, given in enumerate(story.inputs):
        place.setdefault(given.tag, number)
    last: dict[str, tuple[int, int]] = {}
    seen: set[tuple[str, int]] = set()
    said = []
    for output in story.record.outputs:
        tag = output.properties.get(TAG, "")
        if not tag.isdigit() or int(tag) not in classes or (output.output, int(tag)) in seen:
            continue
        seen.add((output.output, int(tag)))
        before = last.get(output.output, (-1, -1))
        if place[int(tag)] < before[0]:
            said.append(f"out of order: {output.output} has input {tag} after input {before[1]}")
        last[output.output] = max(before, (place[int(tag)], int(tag)))
    return said


def errored(story: Story) -> int:
    """Give how many inputs were answered on the errors output."""
    return len({each.properties.get(TAG) for each in story.record.outputs if each.output == "errors"})


def _short(output: Output) -> str:
    return f"{output.output} {output.system.get('$.mid', '')[:60]!r} {output.body[:100]!r}"


def first(violations: Iterable[str], most: int = 12) -> str:
    """Give the first violations as lines."""
    lines = list(violations)
    more = [f"… and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join(f"  {line}" for line in lines[:most] + more)
