"""What a bare model takes and gives, in sentences, as ``scoring-module check`` prints it."""

from .model import OnnxModel
from .specs import TensorSpec


def describe(model: OnnxModel) -> list[str]:
    """Say how messages become the model's inputs and its outputs a prediction; one line each."""
    lines = [_input(model, spec) for spec in model.inputs]
    lines += [f"optional: field {spec.name!r}, {spec.said(row=False)}" for spec in model.defaults]
    lines += [_output(model, spec) for spec in model.outputs]
    if model.batches:
        lines.append("batch: several requests share a call; a request has no batch axis")
    else:
        lines.append(
            "batch: each request is a call of its own: a first dimension is fixed or not said, or scoring.json says so"
        )
    if model.fields is None:
        lines.append(f"no {model.path.with_name('scoring.json')}: fields go by the model's names")
    elif model.fields.keep:
        kept = "the whole message" if model.fields.keep is True else ", ".join(model.fields.keep)
        lines.append(f"kept in the prediction: {kept}")
    return lines


def _input(model: OnnxModel, spec: TensorSpec) -> str:
    said = None if model.fields is None else model.fields.inputs.get(spec.name)
    if said is not None:
        entries = said if isinstance(said, list) else [said]
        names = ", ".join(entry if isinstance(entry, str) else entry.field for entry in entries)
        source = f"made of {names}"
    else:
        source = f"field {spec.name!r}" + (" or the bare value" if len(model.inputs) == 1 else "")
        source += ", may be missing" if spec.optional else ""
    return f"input {spec.name}: {source}, {spec.said(row=model.batches)}"


def _output(model: OnnxModel, spec: TensorSpec) -> str:
    said = None if model.fields is None else model.fields.outputs.get(spec.name)
    if model.fields is not None and model.fields.outputs and said is None:
        return f"output {spec.name}: left out"
    entries = said if isinstance(said, list) else [said or spec.name]
    names = [(entry if isinstance(entry, str) else entry.name) or spec.name for entry in entries]
    return f"output {spec.name}: field {', '.join(map(repr, names))}, {spec.said(row=model.batches)}"
