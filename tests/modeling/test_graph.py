"""The training step's graph, traced as for a GPU. No GPU is needed: tracing runs no kernel."""

from __future__ import annotations

from collections import Counter

import pytest
import tensorflow as tf
from small_taggers import random_batch, small_tagger
from tensorflow.python.framework import kernels

from seqlab.modeling.graph import training_step


@pytest.fixture(params=[("transformer", "crf", "cnn"), ("bilstm", "softmax", "cnn")], ids="-".join)
def encoder_and_nodes(request, monkeypatch):
    """A tagger's encoder, and every node of its training step, with those of the functions it calls."""
    tagger = small_tagger(*request.param, dropout=0.5, token_dropout=0.5)
    tagger.optimizer.build(tagger.trainable_variables)
    # Keras and BiLSTMEncoder ask this whether there is a GPU.
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda device_type=None: ["/device:GPU:0"])
    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), random_batch([5, 2], length=7)
    )
    step = tf.function(training_step(tagger), autograph=False).get_concrete_function(*signature)
    graph = step.graph.as_graph_def()
    return request.param[0], [*graph.node, *(n for body in graph.library.function for n in body.node_def)]


def test_every_operation_has_a_kernel_for_a_gpu(encoder_and_nodes):
    """Only the messages of Keras's assertion about cuDNN's masks, strings, stay on the host."""
    _, nodes = encoder_and_nodes
    assert not {"PyFunc", "EagerPyFunc", "PyFuncStateless"} & {node.op for node in nodes}
    if tf.test.is_built_with_cuda():  # else no GPU kernels are registered
        assert {node.op for node in nodes if not (is_message(node) or has_gpu_kernel(node))} == set()


def is_message(node: tf.compat.v1.NodeDef) -> bool:
    return node.op == "Const" and node.attr["dtype"].type == tf.string.as_datatype_enum


def has_gpu_kernel(node: tf.compat.v1.NodeDef) -> bool:
    """Whether TensorFlow has a kernel of this operation and these types for a GPU, or for every device."""
    return any(
        kernel.device_type in ("GPU", "DEFAULT")
        and all(
            node.attr[constraint.name].type in constraint.allowed_values.list.type
            for constraint in kernel.constraint
        )
        for kernel in kernels.get_registered_kernels_for_op(node.op).kernel
    )


def test_an_lstm_is_one_cudnn_operation_for_each_direction(encoder_and_nodes):
    encoder, nodes = encoder_and_nodes
    counts = Counter(node.op for node in nodes)
    directions = 2 if encoder == "bilstm" else 0
    assert counts["CudnnRNNV3"] == counts["CudnnRNNBackpropV3"] == directions
    if encoder == "bilstm":
        assert not {"While", "StatelessWhile", "TensorListReserve"} & counts.keys()
