"""Every parameter, typed once. `load_params` reads params.yaml and refuses what it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seqlab.errors import SeqlabError

TagScheme = Literal["IOB1", "IOB2", "BIOES"]
FileTagScheme = Literal["IOB1", "IOB2", "BIO", "BIOES", "IOBES", "BILOU"]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A section of params.yaml: unknown keys are refused, values are not changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleParams(Section):
    """The corpus that the project makes from a seed."""

    sentences: Annotated[int, Field(ge=100)]
    seed: int


class FilesParams(Section):
    """A team's own CoNLL files."""

    train: str
    dev: str
    test: str
    columns: Annotated[list[str], Field(min_length=2)]
    separator: str
    comment_prefix: str | None
    tag_scheme: FileTagScheme


class CorpusParams(Section):
    """Which corpus, and what each kind of corpus needs to know."""

    name: str
    mirror: str | None
    tag_repair: bool
    dev_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    sample: SampleParams
    files: FilesParams


class EmbedderParams(Section):
    """What is known of a token before its neighbours are looked at."""

    min_count: Positive
    lowercase: bool
    vectors: str
    vectors_trainable: bool
    token_embedding_dim: Positive
    token_dropout: Share
    characters: Literal["cnn", "attention", "bilstm", "none"]
    max_token_length: Annotated[int, Field(ge=2)]
    character_embedding_dim: Positive
    character_filters: Positive
    character_kernel_sizes: Annotated[list[Positive], Field(min_length=1)]
    shape: bool
    dropout: Share


class TransformerParams(Section):
    """A Transformer encoder."""

    type: Literal["transformer"]
    num_layers: Positive
    hidden_dim: Positive
    num_heads: Positive
    intermediate_dim: Positive
    positions: Literal["relative", "sinusoidal", "absolute"]
    convolution_kernel_size: Positive | None
    dropout: Share
    attention_dropout: Share

    @model_validator(mode="after")
    def _heads_divide(self) -> TransformerParams:
        if self.hidden_dim % self.num_heads or (self.hidden_dim // self.num_heads) % 2:
            raise ValueError(
                f"hidden_dim must be an even multiple of num_heads, received {self.hidden_dim} and "
                f"{self.num_heads}"
            )
        return self


class BiLSTMParams(Section):
    """A bidirectional LSTM encoder."""

    type: Literal["bilstm"]
    num_layers: Positive
    units: Positive
    dropout: Share


class HeadParams(Section):
    """Tag scores, their loss and their decoding."""

    type: Literal["softmax", "crf"]
    label_smoothing: Share


class TrainingParams(Section):
    """How a tagger is trained."""

    epochs: Positive
    batch_size: Positive
    batch_tokens: Positive | None
    bucket_boundaries: Annotated[list[Positive], Field(min_length=1)]
    mention_replacement: Annotated[float, Field(ge=0, le=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_epochs: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    clip_norm: Annotated[float, Field(gt=0)] | None
    weight_averaging_epochs: Annotated[float, Field(ge=0)]
    patience: Positive
    monitor: Literal["span_f1", "token_accuracy"]
    mixed_precision: Literal["float32", "mixed_float16", "mixed_bfloat16"]
    jit_compile: bool | Literal["auto"]
    run_eagerly: bool

    @model_validator(mode="after")
    def _boundaries_rise(self) -> TrainingParams:
        if sorted(set(self.bucket_boundaries)) != self.bucket_boundaries:
            raise ValueError(f"bucket_boundaries must rise, received {self.bucket_boundaries}")
        if self.batch_tokens is not None and self.batch_tokens < self.bucket_boundaries[-1]:
            raise ValueError(
                f"batch_tokens ({self.batch_tokens}) must hold at least one sentence of the longest "
                f"bucket ({self.bucket_boundaries[-1]})"
            )
        return self


class AuxiliaryParams(Section):
    """Other tag columns of train that are learned beside the task's own."""

    columns: Literal["all"] | list[str]
    weight: Annotated[float, Field(gt=0)]


class TaskParams(Section):
    """One tagger: the column it learns, its three parts, and its training."""

    column: str
    tag_scheme: TagScheme | None
    auxiliary: AuxiliaryParams
    embedder: EmbedderParams
    encoder: Annotated[TransformerParams | BiLSTMParams, Field(discriminator="type")]
    head: HeadParams
    training: TrainingParams

    @model_validator(mode="after")
    def _spans_are_scored_as_spans(self) -> TaskParams:
        if self.tag_scheme is None and self.training.monitor == "span_f1":
            raise ValueError("training.monitor span_f1 needs a tag_scheme; use token_accuracy")
        if self.tag_scheme is None and self.training.mention_replacement:
            raise ValueError(
                "training.mention_replacement needs a tag_scheme; set it to 0 where tags are not spans"
            )
        if self.head.type == "crf" and self.head.label_smoothing:
            raise ValueError("head.label_smoothing belongs to the softmax head; set it to 0 for crf")
        if self.auxiliary.columns != "all" and self.column in self.auxiliary.columns:
            raise ValueError(f"auxiliary.columns names the task's own column, {self.column}")
        return self


TaskName = Literal["ner", "pos"]


class Params(Section):
    """All of params.yaml."""

    corpus: CorpusParams
    tasks: Annotated[list[TaskName], Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    device: Literal["auto", "cpu", "gpu"]
    ner: TaskParams
    pos: TaskParams

    def task(self, name: str) -> TaskParams:
        """The section of task `name`; `SeqlabError` where there is none."""
        if name not in ("ner", "pos"):
            raise SeqlabError(
                f"unknown task {name!r}", where="tasks", expected="ner or pos", received=repr(name)
            )
        section: TaskParams = getattr(self, name)
        return section


def parse_params(values: Any, *, where: str = "params.yaml") -> Params:
    """Check plain values against the schema.

    Raises:
        SeqlabError: naming every parameter that is missing, unknown or out of range.
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"] if part not in ("transformer", "bilstm"))
            got = "" if problem["type"] in ("missing", "value_error") else f" (received {problem['input']!r})"
            lines.append(f"{name or 'params'}: {problem['msg']}{got}")
        raise SeqlabError(
            f"{len(lines)} parameter{'s are' if len(lines) > 1 else ' is'} not right",
            where=where,
            received="\n    ".join(lines),
            remedy="correct params.yaml; the table of parameters stands in README.md",
        ) from None


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check `path`; `SeqlabError` where it is missing, not YAML, or not right."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SeqlabError("no parameters", where=str(path), remedy="run from the repository's root") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise SeqlabError("not YAML", where=where, received=str(getattr(error, "problem", error))) from None
    return parse_params(values, where=str(path))
