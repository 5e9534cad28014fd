"""Every parameter with its type and meaning, and the rules that join several of them.

The text below a field is its description in docs/parameters.md.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seqlab.errors import SeqlabError

TagScheme = Literal["IOB1", "IOB2", "BIOES"]
FileTagScheme = Literal["IOB1", "IOB2", "BIO", "BIOES", "IOBES", "BILOU"]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A section of params.yaml: immutable, without unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class SampleParams(Section):
    """The sample corpus, which is generated from a seed."""

    sentences: Annotated[int, Field(ge=100)]
    """number of sentences in all three splits (80/10/10)"""
    seed: int
    """equal seeds give equal corpora"""


class FilesParams(Section):
    """Your own CoNLL or CoNLL-U files."""

    train: str
    """a file, or a folder of files"""
    dev: str
    """a file or folder; the same path as train: `corpus.dev_share` of its sentences become dev"""
    test: str
    """a file, or a folder of files"""
    columns: Annotated[list[str], Field(min_length=2)]
    """column names in order, one of them `token`; `_` for a column to ignore"""
    separator: str
    """`tab`, `space`, or `whitespace` for any run of spaces and tabs"""
    comment_prefix: str | None
    """a line that starts with it and contains no separator is a comment; `null`: no comments"""
    tag_scheme: FileTagScheme
    """tag scheme of the span columns in the files"""


class CorpusParams(Section):
    """Which corpus to use, and the settings of each kind of corpus."""

    name: str
    """`sample`, `files` (your own), or a name that `seqlab corpora` lists"""
    mirror: str | None
    """folder or http address with copies of public files, tried before their origin"""
    tag_repair: bool
    """read invalid tag sequences as conlleval does, and count them, instead of refusing them"""
    dev_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    """share of train's sentences that become dev if the corpus has no dev split"""
    sample: SampleParams
    files: FilesParams


class PretrainedParams(Section):
    """A pretrained encoder of KerasHub."""

    source: str | None
    """`data/encoders/NAME`, a folder in the layout of Hugging Face or KerasHub; `hf://ORGANISATION/NAME`; or
    the name of a preset of KerasHub; `null`: none"""
    digest: str | None
    """SHA-256 that the files must have, as `corpus.json` shows it; `null`: not checked"""
    pooling: Literal["first", "mean"]
    """a token's vector: that of its first piece, or the mean of its pieces"""
    layers: Literal["last", "mix"]
    """the last layer, or a learned mean of all layers"""
    trained: Literal["full", "frozen", "lora"] | Positive
    """which weights are trained: all, none, low-rank additions to those of attention (LoRA), or those of this
    number of uppermost layers"""
    lora_rank: Positive
    """rank of the matrices that LoRA adds"""
    learning_rate: Annotated[float, Field(gt=0)]
    """peak of the schedule for the encoder's weights"""
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    """factor of the learning rate from each layer to the one below"""
    warmup_epochs: Annotated[float, Field(ge=0)]
    """epochs over which the encoder's learning rate also grows linearly, in addition to the warm-up of the
    schedule"""
    gradient_checkpointing: bool
    """recompute the activations of each layer for its gradient: less memory, more time; the encoder's dropout
    is then off"""


class EmbedderParams(Section):
    """The features of a token by itself, and of a pretrained encoder."""

    min_count: Positive
    """tokens that are rarer in train are unknown"""
    lowercase: bool
    """fold case in token ids; characters and word shape keep it"""
    vectors: str
    """file of word vectors in `data/vectors` (docs/vectors.md); an empty file: none"""
    vectors_limit: Positive | None
    """read only this many vectors, the first of the file; `null`: all"""
    vectors_trainable: bool
    """train the vectors of tokens of train; those of all other words of the file are always frozen"""
    token_embedding_dim: Annotated[int, Field(ge=0)]
    """must equal the dimension of the word vectors, if there are any; 0: no token embedding"""
    token_dropout: Share
    """share of tokens that are replaced by unknown in training"""
    characters: Literal["cnn", "attention", "bilstm", "none"]
    """character encoder"""
    max_token_length: Annotated[int, Field(ge=2)]
    """characters; longer tokens keep their first and last halves"""
    character_embedding_dim: Positive
    """dimension of character embeddings"""
    character_filters: Positive
    """filters per kernel size (cnn), or output units"""
    character_kernel_sizes: Annotated[list[Positive], Field(min_length=1)]
    """kernel widths in characters (cnn)"""
    shape: bool
    """add the word shape (Xx, XX, dd, ...) as one-hot features"""
    dropout: Share
    """share of token features that are dropped in training"""
    pretrained: PretrainedParams

    @model_validator(mode="after")
    def _has_features(self) -> EmbedderParams:
        if not (
            self.token_embedding_dim or self.characters != "none" or self.shape or self.pretrained.source
        ):
            raise ValueError(
                "embedder has no features: set token_embedding_dim, characters, shape or pretrained.source"
            )
        return self


class TransformerParams(Section):
    """A Transformer encoder."""

    type: Literal["transformer"]
    """`transformer`, `bilstm` or `none`"""
    num_layers: Positive
    """number of layers"""
    hidden_dim: Positive
    """dimension of token vectors"""
    num_heads: Positive
    """attention heads; hidden_dim must be an even multiple of it"""
    intermediate_dim: Positive
    """dimension between the two feed-forward layers"""
    positions: Literal["relative", "sinusoidal", "absolute"]
    """position encoding"""
    convolution_kernel_size: Positive | None
    """tokens in the window of the convolution that precedes attention in each block; `null`: none"""
    dropout: Share
    """dropout of inputs and residual branches"""
    attention_dropout: Share
    """dropout of attention weights"""

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
    """`transformer`, `bilstm` or `none`"""
    num_layers: Positive
    """number of layers"""
    units: Positive
    """units per direction"""
    dropout: Share
    """dropout of each layer's output"""


class NoEncoderParams(Section):
    """No encoder: the head reads the embedder's vectors."""

    type: Literal["none"]
    """`transformer`, `bilstm` or `none`"""


EncoderParams = TransformerParams | BiLSTMParams | NoEncoderParams

ENCODER_TYPES = {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(EncoderParams)}


class HeadParams(Section):
    """Tag scores, their loss and their decoding."""

    type: Literal["softmax", "crf"]
    """`softmax` with constrained decoding, or `crf`"""
    label_smoothing: Share
    """softmax head only"""


class TrainingParams(Section):
    """How a tagger is trained."""

    epochs: Positive
    """maximum number of epochs"""
    batch_size: Positive
    """sentences in a batch"""
    batch_tokens: Positive | None
    """positions in a batch, instead of batch_size: longer buckets get fewer sentences"""
    gradient_accumulation_steps: Positive
    """parts in which a batch is computed, one after the other, to save memory; the gradient is that of the
    whole batch"""
    bucket_boundaries: Positive | Annotated[list[Positive], Field(min_length=1)]
    """number of lengths to which batches are padded, chosen from the corpus so that padding is least; or a
    list of these lengths, in tokens"""
    window_length: Positive
    """maximum number of tokens in a row of a batch; longer sentences are split into windows"""
    mention_replacement: Annotated[float, Field(ge=0, le=1)]
    """share of entity mentions that are replaced by others of the same type and length in each epoch"""
    learning_rate: Annotated[float, Field(gt=0)]
    """peak of the schedule"""
    warmup_epochs: Annotated[float, Field(ge=0)]
    """epochs of linear warm-up, at most half of all steps; cosine decay follows"""
    weight_decay: Annotated[float, Field(ge=0)]
    """of matrices; biases, scales and embeddings do not decay"""
    clip_norm: Annotated[float, Field(gt=0)] | None
    """maximum global norm of the gradients; `null`: no clipping"""
    weight_averaging_epochs: Annotated[float, Field(ge=0)]
    """epochs that the exponential moving average of the weights covers; 0: no averaging"""
    checkpoint_minutes: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """a checkpoint is saved after each epoch, and within an epoch when this time has passed without one"""
    patience: Positive
    """epochs without a better dev score after which training stops"""
    monitor: Literal["span_f1", "token_accuracy"]
    """dev score that chooses the epoch"""
    mixed_precision: Literal["float32", "mixed_float16", "mixed_bfloat16"]
    """dtype policy of Keras"""
    strategy: Literal["none", "mirrored", "multi_worker"]
    """devices that share each batch: one (`none`), all GPUs of this machine (`mirrored`), or all GPUs of the
    machines that `TF_CONFIG` names (`multi_worker`)"""
    jit_compile: bool | Literal["auto"]
    """compile the training step with XLA"""
    deterministic: bool
    """use only deterministic TensorFlow operations; XLA is then off if `jit_compile` is `auto`"""
    run_eagerly: bool
    """run without a graph, for debugging; recorded on the run"""

    @model_validator(mode="after")
    def _settings_agree(self) -> TrainingParams:
        if isinstance(self.bucket_boundaries, list):
            if sorted(set(self.bucket_boundaries)) != self.bucket_boundaries:
                raise ValueError(f"bucket_boundaries must be ascending, received {self.bucket_boundaries}")
            if self.bucket_boundaries[-1] > self.window_length:
                raise ValueError(
                    f"bucket_boundaries must not exceed window_length ({self.window_length}), received "
                    f"{self.bucket_boundaries}"
                )
        if self.strategy != "none" and self.gradient_accumulation_steps > 1:
            raise ValueError("training.gradient_accumulation_steps above 1 needs training.strategy: none")
        if self.strategy != "none" and (
            self.jit_compile is True or self.run_eagerly or self.mixed_precision == "mixed_float16"
        ):
            raise ValueError(
                f"training.strategy {self.strategy} needs run_eagerly: false, jit_compile: false or auto, "
                "and mixed_precision: float32 or mixed_bfloat16"
            )
        if self.batch_tokens is not None and self.batch_tokens < self.window_length:
            raise ValueError(
                f"batch_tokens ({self.batch_tokens}) must be at least window_length ({self.window_length})"
            )
        return self


class AuxiliaryParams(Section):
    """Other tag columns of train, learned beside the task's own."""

    columns: Literal["all"] | list[str]
    """`all` (of up to 500 tags), a list of columns, or `[]` for none"""
    weight: Annotated[float, Field(gt=0)]
    """weight of each column's loss; the task's own weighs 1"""


class TaskParams(Section):
    """One tagger: the column it learns, its three parts, and its training."""

    column: str
    """the tag column"""
    tag_scheme: TagScheme | None
    """tag scheme that the model learns; `null` if tags are not spans"""
    auxiliary: AuxiliaryParams
    embedder: EmbedderParams
    encoder: Annotated[EncoderParams, Field(discriminator="type")]
    head: HeadParams
    training: TrainingParams

    @model_validator(mode="after")
    def _settings_agree(self) -> TaskParams:
        if self.tag_scheme is None and self.training.monitor == "span_f1":
            raise ValueError("training.monitor span_f1 needs a tag_scheme; use token_accuracy")
        if self.tag_scheme is None and self.training.mention_replacement:
            raise ValueError("training.mention_replacement needs a tag_scheme; set it to 0 without one")
        if self.head.type == "crf" and self.head.label_smoothing:
            raise ValueError("head.label_smoothing belongs to the softmax head; set it to 0 for crf")
        if self.auxiliary.columns != "all" and self.column in self.auxiliary.columns:
            raise ValueError(f"auxiliary.columns contains the task's own column, {self.column}")
        return self


TASK_NAME = r"^[A-Za-z][A-Za-z0-9_-]*$"
TaskName = Annotated[str, Field(pattern=TASK_NAME)]

DEFAULTED = ("auxiliary", "embedder", "training")
"""The parts of a task's section that take what they do not contain from the section `defaults`."""


class Params(Section):
    """All of params.yaml, with the defaults filled in."""

    corpus: CorpusParams
    tasks: Annotated[list[TaskName], Field(min_length=1)]
    """the tasks to run, each with a section of its own; letters, digits, `_` and `-`"""
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    """fixes initial weights, data order and dropout"""
    device: Literal["auto", "cpu", "gpu"]
    """`auto` uses a GPU if one is visible; `gpu` fails without one"""
    sections: dict[TaskName, TaskParams]

    @model_validator(mode="after")
    def _tasks_have_sections(self) -> Params:
        # Their folders would be one on a file system that ignores case.
        if len({name.lower() for name in self.tasks}) < len(self.tasks):
            raise ValueError(f"tasks contains a task twice, received {self.tasks}")
        for name in self.tasks:
            if name not in self.sections:
                raise ValueError(
                    f"tasks contains {name}, which has no section; docs/tasks.md shows how to add a task"
                )
        return self

    def task(self, name: str) -> TaskParams:
        """Return the section of a task.

        Raises:
            SeqlabError: there is no such task.
        """
        if name not in self.sections:
            raise SeqlabError(
                "unknown task",
                where="params.yaml",
                expected=" or ".join(self.sections),
                received=repr(name),
                remedy="docs/tasks.md shows how to add a task",
            )
        return self.sections[name]
