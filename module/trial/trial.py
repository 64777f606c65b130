"""What a trial found out, as `check` tells it for people and as JSON."""

from dataclasses import dataclass, field


@dataclass
class Trial:
    """What was found out about a scoring directory.

    Attributes:
        directory: absolute.
        script: the file's name; of a bare model the model's.
        kind: see Script; empty if it does not load.
        is_async: whether run() is awaited.
        max_size: requests in one run() at most.
        replaced: what a stand-in stood in for → what the stand-in does.
        model_dir: AZUREML_MODEL_DIR as the script sees it.
        models: path, execution provider, SHA-256 and plan of every OnnxModel that init() made.
        described: what a bare model takes and gives, in sentences.
        sample_from: where the sample is from; empty without one.
        sample: the first body, cut.
        answers: the bodies that leave for it, cut.
        messages: how many were given to the pipeline.
        scored: how many of them were scored.
        refused: why others were not, by line, the first few.
        compared: batch sizes whose answers were compared, the first of them alone.
        milliseconds: of one run() by its number of requests.
        merged: whether several messages may share a run(), as far as that is known now.
        why: the reason.
        findings: what would go wrong on a device though every message is scored.
        notes: what people should know though it works.
        error: why it does not work, in one sentence; empty if it does.
        user_traceback: of the error, in the user's own files.
    """

    directory: str
    script: str
    kind: str = ""
    is_async: bool = False
    max_size: int = 0
    replaced: dict[str, str] = field(default_factory=dict)
    model_dir: str = ""
    models: list[dict[str, str]] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    sample_from: str = ""
    sample: str = ""
    answers: list[str] = field(default_factory=list)
    messages: int = 0
    scored: int = 0
    refused: list[str] = field(default_factory=list)
    compared: list[int] = field(default_factory=list)
    milliseconds: dict[int, float] = field(default_factory=dict)
    merged: bool = False
    why: str = ""
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""
    user_traceback: str = ""

    @property
    def ok(self) -> bool:
        """Whether something was scored, and nothing went wrong."""
        return self.scored > 0 and not self.error and not self.findings
