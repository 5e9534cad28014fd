from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tiny_taggers import SENTENCES, tiny_export

from seqlab.errors import SeqlabError
from seqlab.serving.export_files import file_digests
from seqlab.serving.graph_operations import (
    ALLOWED_OPERATIONS,
    CHECKPOINT_OPERATIONS,
    check_saved_model,
)
from seqlab.serving.tagging.saved_model_tagger import SavedModelTagger

REFUSED = r"saved_model\.\w+: the graph has operations that may do more than compute, so it is not loaded"


@pytest.mark.parametrize("kind", ["ner", "pos"])
def test_our_exports_pass(kind: str) -> None:
    check_saved_model(tiny_export(kind))


def test_no_allowed_operation_uses_files_or_python() -> None:
    assert not ALLOWED_OPERATIONS & CHECKPOINT_OPERATIONS
    words = ("File", "Py", "Save", "Restore", "Write", "Reader", "Dataset", "Rpc", "Remote", "Print", "Send")
    assert not [name for name in ALLOWED_OPERATIONS if any(word in name for word in words)]
    assert all(hasattr(tf.raw_ops, name) or name == "Placeholder" for name in ALLOWED_OPERATIONS)


def write_file(texts: tf.Tensor, path: str) -> tf.Tensor:
    with tf.control_dependencies([tf.io.write_file(path, "written")]):
        return tf.identity(texts)


def write_in_a_branch(texts: tf.Tensor, path: str) -> tf.Tensor:
    return tf.cond(tf.size(texts) > 0, lambda: write_file(texts, path), lambda: texts)


def write_checkpoint(texts: tf.Tensor, path: str) -> tf.Tensor:
    with tf.control_dependencies([tf.raw_ops.SaveV2(
        prefix=path, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1)]
    )]):  # fmt: skip
        return tf.identity(texts)


def read_file(texts: tf.Tensor, path: str) -> tf.Tensor:
    return tf.strings.join([texts, tf.io.read_file("/etc/hostname")])


def run_python(texts: tf.Tensor, path: str) -> tf.Tensor:
    return tf.py_function(lambda x: x, [texts], tf.string)


def hostile_export(directory: Path, body: Callable[[tf.Tensor, str], tf.Tensor], path: str = "") -> Path:
    """Return an export whose graph is another one, with the digests of its own files."""
    shutil.copy(tiny_export("ner") / "config.json", directory)
    module = tf.Module()
    module.text = tf.function(
        lambda texts: {"tokens": body(texts, path)},
        input_signature=[tf.TensorSpec([None], tf.string, "texts")],
    )
    signatures = {"text": module.text, "serving_default": module.text}
    tf.saved_model.save(module, str(directory), signatures=signatures)
    return with_digests(directory)


def with_digests(directory: Path) -> Path:
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    config["files"] = file_digests(directory)
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return directory


@pytest.mark.parametrize(
    ("body", "received"),
    [
        (write_file, "WriteFile in __inference"),
        (write_in_a_branch, "WriteFile in cond_true"),
        (write_checkpoint, "files are used in __inference"),
        (read_file, "ReadFile in __inference"),
        (run_python, "EagerPyFunc in __inference"),
    ],
)
def test_a_signature_that_does_more_than_compute(
    body: Callable[[tf.Tensor, str], tf.Tensor], received: str, tmp_path: Path
) -> None:
    export = tmp_path / "export"
    export.mkdir()
    hostile_export(export, body, path=str(tmp_path / "written"))
    with pytest.raises(SeqlabError, match=rf"{REFUSED}[\s\S]*received: {received}"):
        SavedModelTagger(export).tag(["one"])
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_the_function_that_saves_is_called_by_no_signature(tmp_path: Path) -> None:
    export = hostile_export(tmp_path, lambda texts, _: tf.identity(texts))
    graph = saved_model_pb2.SavedModel.FromString((export / "saved_model.pb").read_bytes())
    library = graph.meta_graphs[0].graph_def.library
    (saving,) = (f.signature.name for f in library.function if "traced_save" in f.signature.name)
    (other, *_) = (f for f in library.function if "traced" not in f.signature.name)
    node = other.node_def.add(name="call", op="StatefulPartitionedCall")
    node.attr["f"].func.name = saving
    (export / "saved_model.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(SeqlabError, match=rf"{REFUSED}[\s\S]*files are used in {saving}"):
        SavedModelTagger(with_digests(export))


def test_a_graph_of_tensorflow_1(tmp_path: Path) -> None:
    export = hostile_export(tmp_path, lambda texts, _: tf.identity(texts))
    graph = saved_model_pb2.SavedModel.FromString((export / "saved_model.pb").read_bytes())
    graph.meta_graphs[0].ClearField("object_graph_def")
    (export / "saved_model.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(SeqlabError, match=rf"{REFUSED}[\s\S]*one graph with an object graph"):
        SavedModelTagger(with_digests(export))


def test_a_table_that_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "table.txt").write_text("one\t1\n", encoding="utf-8")
    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(tmp_path / "table.txt"), tf.string, 0, tf.int64, 1, delimiter="\t"
        ),
        num_oov_buckets=1,
    )  # fmt: skip
    export = tmp_path / "export"
    export.mkdir()
    module = tf.Module()
    module.table = table
    module.text = tf.function(table.lookup, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(export), signatures={"text": module.text})
    with pytest.raises(
        SeqlabError, match=rf"{REFUSED}[\s\S]*received: (VarIsInitializedOp|InitializeTableFromTextFileV2) in"
    ):
        check_saved_model(export)


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt"])
def test_a_graph_in_another_file(name: str, tmp_path: Path) -> None:
    shutil.copy(tiny_export("ner") / "saved_model.pb", tmp_path)
    (tmp_path / name).write_bytes(b"another graph")
    with pytest.raises(SeqlabError, match=rf"{REFUSED}[\s\S]*saved_model\.pb alone"):
        check_saved_model(tmp_path)


def test_a_damaged_graph(tmp_path: Path) -> None:
    content = (tiny_export("ner") / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(content[: len(content) // 2])
    with pytest.raises(SeqlabError, match=r"saved_model\.pb: the exported model cannot be loaded"):
        check_saved_model(tmp_path)


def test_the_saved_model_of_an_export_tags() -> None:
    assert SavedModelTagger(tiny_export("ner")).tag(SENTENCES[:1])[0].tokens
