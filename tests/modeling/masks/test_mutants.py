"""`check_masks` refuses a tagger in which any single use of a mask is removed.

Every use of a mask in `seqlab.modeling` is found in the source and replaced, one at a time, by a mask that is
True everywhere. A mutant that `check_masks` accepts must be listed in `EQUIVALENT` with the reason why padding
changes no result in it.
"""

# ruff: noqa: E501 (mutated source lines are quoted)

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

import keras
from small_taggers import (
    NUM_CHARACTERS,
    NUM_SHAPES,
    NUM_TAGS,
    NUM_TOKENS,
    TINY_BERT,
    TOKEN_LENGTH,
    random_batch,
)

import seqlab.modeling
from seqlab.errors import SeqlabError
from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.masks import proof
from seqlab.modeling.tagger import Tagger

ROOT = Path(seqlab.modeling.__file__).parent
NOT_MUTATED = {
    "proof.py": "the check itself",
    "walk.py": "the check itself",
    "multi_task_tagger.py": "runs in training only, around the parts of a tagger that was checked",
    "fit.py": "the training loop, which runs a tagger that was checked",
    "steps.py": "the training step of JAX and PyTorch; test_fresh_process.py trains with it",
    "graph.py": "the training step; test_tagger.py compares its loss with that of `compute_loss`",
    "token_accuracy.py": "a metric, not part of a tagger",
}
EQUIVALENT = {
    "the encoder sets padding to 0 before it reads several positions": [
        "TokenFeatureEmbedder.call: mask = all_true(self.compute_mask(features, mask))",
        "TokenFeatureEmbedder.call: mask = self.compute_mask(features, all_true(mask))",
        "TokenFeatureEmbedder.call: return zero_finite_padding(x, all_true(mask))",
        "Tagger.encode: x = self.embedder(features, mask=all_true(mask), training=training)",
    ],
    "the embedder sets padding to 0": [
        "CharacterEncoder.call: encoded = zero_finite_padding(encoded, ops.any(all_true(real), axis=1))",
        "ShapeOneHot.call: return zero_finite_padding(one_hot, all_true(self.compute_mask(shape_ids)))",
        "PretrainedEmbedding._token_vectors: return zero_finite_padding(pooled, all_true(self.compute_mask(features)))",
        "TokenEmbedding.call: real = all_true(ops.not_equal(token_ids, PADDING_ID))",
        "TokenEmbedding.call: return zero_finite_padding(ops.cast(vectors, self.compute_dtype), all_true(real))",
        "TransformerEncoder._encoded: x = zero_padding(x, all_true(mask))",
        "zero_padding: return ops.where(ops.expand_dims(all_true(mask), -1), x, ops.cast(0, x.dtype))",
    ],
    "later layers do not read padding: attention has the mask, a convolution's input and the sum are set to 0": [
        "BiLSTMEncoder.call: return zero_finite_padding(ops.transpose(x, (1, 0, 2)), all_true(mask))",
        "BiLSTMEncoder._call_cudnn: return zero_finite_padding(x, all_true(mask))",
        "ConvolutionBlock.call: return zero_finite_padding(x + self.output_dropout(step, training=training), all_true(mask))",
        "FeedForwardBlock.call: return zero_finite_padding(x + self.output_dropout(self.outer(step), training=training), all_true(mask))",
        "CharacterAttentionPooling.encode: weights = zero_finite_padding(weights, all_true(real))",
        "PositionEmbedding.call: return zero_finite_padding(x + ops.cast(positions, x.dtype), all_true(mask))",
        "SelfAttention.call: return zero_finite_padding(self.output_projection(ops.reshape(context, ops.shape(x))), all_true(mask))",
        "TransformerEncoder._encoded: return zero_finite_padding(self.final_norm(x), all_true(mask))",
        "Tagger.call: return self.head(x, mask=all_true(mask), training=training)",
    ],
    "the tagger passes its own mask, so that masks on these outputs are not read": [
        "CharacterEncoder.compute_mask: return ops.any(all_true(ops.not_equal(character_ids, PADDING_ID)), axis=-1)",
        'PretrainedEmbedding.compute_mask: return all_true(ops.not_equal(features["piece_counts"], 0))',
        "ShapeOneHot.compute_mask: return all_true(ops.not_equal(shape_ids, PADDING_ID))",
        "TokenEmbedding.compute_mask: return all_true(ops.not_equal(token_ids, PADDING_ID))",
        'TokenFeatureEmbedder.compute_mask: return all_true(ops.not_equal(features["token_ids"], PADDING_ID))',
    ],
    "cuDNN alone rejects empty rows; on the CPU their values are discarded": [
        "BiLSTMEncoder._call_cudnn: readable = None if mask is None else mask",
        "CharacterBiLSTM.encode: return self.recurrent_layer(vectors, mask=real, training=training)",
    ],
    "check_masks compares no gradients; test_recurrence.py compares this one with Keras's": [
        "_recurrence: cell_gradient = cell_gradient * all_true(real)[time]",
    ],
    "lstm_states ignores inputs at padding; this keeps NaN out of the gradient of the kernel": [
        "BiLSTMEncoder.call: x = ops.transpose(zero_padding(x, all_true(mask)), (1, 0, 2))",
    ],
    "only training passes weights on; test_tagger.py compares its loss with that of `compute_loss`": [
        'Tagger.train_batch: return self.make_train_function()(iter([(features, labels, all_true(sample_weight))]))["loss"]',
        "Tagger.train_batch: return self._backend_step(features, labels, all_true(sample_weight))",
        "Tagger.loss_weights: return self.loss_sums(y, self._zero_logits(ops.shape(sample_weight)), all_true(sample_weight))[1]",
    ],
    "training alone computes the halves of a batch apart; test_row_halves.py compares its gradients": [
        "TransformerEncoder.call: return on_row_halves(lambda rows: self._encoded(*rows, training=True), (x, all_true(mask)))",
    ],
    "a loss for models other than a tagger": [
        "TaggingLoss.__call__: return self.head.loss(tag_ids, y_pred, all_true(sample_weight))",
    ],
    "the tagger calls loss_sum; tests/modeling/heads compares the mean with brute force": [
        "TaggingHead.loss: total, weight = self.loss_sum(tag_ids, logits, all_true(sample_weight))",
    ],
    "token dropout happens in training only, and padding's vector is 0 whatever its id": [
        "TokenEmbedding.call: dropped = ops.logical_and(all_true(real), draws < self.token_dropout)",
        "TokenEmbedding.call: token_ids = ops.where(all_true(dropped), ops.cast(UNKNOWN_ID, token_ids.dtype), token_ids)",
    ],
    "inference skips the emissions of padding": [
        "with_boundary_scores: return ops.where(all_true(mask)[..., None], scores, 0.0)",
    ],
    "the end scores are missing at every length": [
        "with_boundary_scores: scores = emissions + ops.where(all_true(has_next)[..., None], 0.0, end_scores)",
    ],
    "only the loss changes, which test_linear_chain.py and test_crf_head.py compare with brute force": [
        "log_partition: is_single, lambda: _single_path(*scores, all_true(path)), lambda: _forward_backward(*scores, mask)",
        "log_partition: is_single, lambda: _single_path(*scores, path), lambda: _forward_backward(*scores, all_true(mask))",
    ],
    "the forward-backward algorithm runs instead of the sum over one path, with the same result": [
        'log_partition: is_single = ops.all(ops.equal(ops.sum(ops.cast(all_true(path), "int32"), axis=-1), ops.cast(mask, "int32")))',
        'log_partition: is_single = ops.all(ops.equal(ops.sum(ops.cast(path, "int32"), axis=-1), ops.cast(all_true(mask), "int32")))',
        "log_partition: path = ops.logical_and(possible, all_true(mask)[..., None])",
    ],
    "only gradients change, which test_linear_chain.py and test_crf_head.py compare with brute force": [
        "_forward_backward: transition_counts = ops.sum(ops.where(all_true(is_real)[..., None], pair_probabilities, 0.0), axis=0)",
    ],
}

MASK_NAME = re.compile(r"(.*_)?(mask|real|sample_weight)")
MAKES_MASK = {"not_equal", "real_tokens", "token_weights", "with_first_position"}
KEEPS_MASK = {"any", "cast", "concatenate", "expand_dims", "logical_and", "logical_not", "logical_or"}
IGNORES_VALUES = {"isinstance", "ones_like", "shape", "zeros_like"}


@dataclass(frozen=True)
class Mutant:
    """A function of `seqlab.modeling` with one change: its qualified name, the changed line, and the code."""

    path: Path
    function: str
    line: str
    source: str

    def __str__(self) -> str:
        return f"{self.function}: {self.line}"

    def code(self) -> CodeType:
        codes = [compile(self.source, str(self.path), "exec")]
        for code in codes:
            if code.co_qualname == self.function:
                return code
            codes.extend(constant for constant in code.co_consts if isinstance(constant, CodeType))
        raise LookupError(self.function)

    def original(self) -> FunctionType:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        found = importlib.import_module(".".join(["seqlab.modeling", *parts]))
        for name in self.function.split("."):
            found = inspect.getattr_static(found, name)
        return inspect.unwrap(getattr(found, "fget", None) or getattr(found, "__func__", found))


def name_of(node: ast.AST) -> str:
    """Return `zero_padding` for the calls `zero_padding(...)` and `masked_ops.zero_padding(...)`, else ''."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def is_mask(node: ast.AST, names: set[str]) -> bool:
    """Return whether an expression is a mask, judged by the names in it."""
    match node:
        case ast.Name():
            return node.id in names or bool(MASK_NAME.fullmatch(node.id))
        case ast.Call() if name_of(node) in KEEPS_MASK | {"ones_like", "zeros_like"}:
            return any(is_mask(argument, names) for argument in node.args)
        case ast.Call():
            return name_of(node) in MAKES_MASK or name_of(node).endswith("_mask")
        case ast.List():
            return bool(node.elts) and all(is_mask(element, names) for element in node.elts)
        case ast.IfExp():
            return is_mask(node.body, names) or is_mask(node.orelse, names)
        case ast.Subscript():
            return is_mask(node.value, names)
        case ast.Compare():
            return is_mask(node.left, names) and not isinstance(node.ops[0], ast.Is | ast.IsNot)
    return False


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{f.name}", f) for f in node.body if isinstance(f, ast.FunctionDef))


def mutants_of(path: Path) -> Iterator[Mutant]:
    source = path.read_bytes()  # the syntax tree counts columns in bytes
    starts = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]
    for function, definition in functions(ast.parse(source)):
        names: set[str] = set()
        skipped: set[ast.AST] = set()
        for node in ast.walk(definition):
            if isinstance(node, ast.Assign) and is_mask(node.value, names):
                names.update(target.id for target in node.targets if isinstance(target, ast.Name))
            is_none = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot)
            if is_none or name_of(node) in IGNORES_VALUES:
                skipped.update(ast.walk(node))
        for node in ast.walk(definition):
            is_read = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and is_mask(node, names)
            is_made = name_of(node) in MAKES_MASK or name_of(node).endswith("_mask")
            if node not in skipped and (is_read or is_made):
                begin = starts[node.lineno - 1] + node.col_offset
                end = starts[node.end_lineno - 1] + node.end_col_offset
                text = source[begin:end].decode()
                drops_a_call = name_of(node) == "with_first_position"
                text = ast.unparse(node.args[0]) if drops_a_call else f"all_true({text})"
                mutated = (source[:begin] + text.encode() + source[end:]).decode()
                yield Mutant(path, function, mutated.splitlines()[node.lineno - 1].strip(), mutated)


def all_true(mask):
    return None if mask is None else keras.ops.ones_like(mask)


def registered(name: str, **arguments) -> keras.layers.Layer:
    return keras.saving.get_registered_object(f"seqlab>{name}")(**arguments)


def make_tagger(characters: str, encoder: keras.layers.Layer, head: keras.layers.Layer, **embedder) -> Tagger:
    embedder = registered(
        "TokenFeatureEmbedder",
        token_vocabulary_size=NUM_TOKENS,
        token_embedding_dim=4,
        characters=characters,
        character_vocabulary_size=NUM_CHARACTERS,
        character_embedding_dim=4,
        character_filters=4,
        shape_vocabulary_size=NUM_SHAPES,
        **embedder,
    )
    tagger = Tagger(embedder=embedder, encoder=encoder, head=head)
    tagger(random_batch([3], length=4)[0])
    return tagger


def transformer(**arguments) -> keras.layers.Layer:
    sizes = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 8}
    return registered("TransformerEncoder", **sizes, **arguments)


@keras.saving.register_keras_serializable(package="test_mutants")
class CudnnBiLSTMEncoder(BiLSTMEncoder):
    """Takes the path of a GPU, which the CPU runs without cuDNN."""

    def _uses_cudnn(self) -> bool:
        return True


def taggers() -> list[Tagger]:
    """Return taggers that together run every layer."""
    no_end = [tag not in (3, 4) for tag in range(NUM_TAGS)]
    constraints = {"end_allowed": no_end, "transitions_allowed": [[True] * NUM_TAGS] * NUM_TAGS}
    return [
        make_tagger(
            "attention",
            transformer(positions="absolute", max_length=12),
            registered("SoftmaxHead", num_tags=NUM_TAGS),
        ),
        make_tagger(
            "cnn",
            transformer(positions="relative", convolution_kernel_size=3),
            registered("SoftmaxHead", num_tags=NUM_TAGS, **constraints),
        ),
        make_tagger(
            "bilstm",
            registered("BiLSTMEncoder", num_layers=1, units=4),
            registered("CRFHead", num_tags=NUM_TAGS, **constraints),
        ),
        make_tagger(
            "none", CudnnBiLSTMEncoder(num_layers=1, units=4), registered("SoftmaxHead", num_tags=NUM_TAGS)
        ),
        make_tagger(
            "none",
            registered("NoEncoder"),
            registered("SoftmaxHead", num_tags=NUM_TAGS),
            pretrained=TINY_BERT,
        ),
    ]


def is_refused(tagger: Tagger) -> bool:
    try:
        proof.check_masks(tagger, max_length=6, max_token_length=TOKEN_LENGTH)
    except SeqlabError:
        return True
    return False


def functions_run_by(tagger: Tagger) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()

    def note(frame, event, _):
        if event == "call":
            found.add((frame.f_code.co_filename, frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        assert not is_refused(tagger)
    finally:
        sys.setprofile(None)
    return found


def test_no_use_of_a_mask_can_be_removed_unseen(monkeypatch):
    monkeypatch.setattr(builtins, "all_true", all_true, raising=False)
    monkeypatch.setattr(proof, "_noisy_copy", functools.cache(proof._noisy_copy))
    runs = [(tagger, functions_run_by(tagger)) for tagger in taggers()]
    accepted = []
    count = 0
    for path in sorted(ROOT.rglob("*.py")):
        for mutant in () if path.name in NOT_MUTATED else mutants_of(path):
            count += 1
            with monkeypatch.context() as patch:
                patch.setattr(mutant.original(), "__code__", mutant.code())
                if not any(is_refused(tagger) for tagger, run in runs if (str(path), mutant.function) in run):
                    accepted.append(str(mutant))
    assert count > 50, "mutants are no longer found"
    equivalent = {line for lines in EQUIVALENT.values() for line in lines}
    survivors, stale = set(accepted) - equivalent, equivalent - set(accepted)
    assert not survivors | stale, "\n".join(
        ["accepted by check_masks:", *sorted(survivors), "refused, or not in the source:", *sorted(stale)]
    )
