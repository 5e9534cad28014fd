"""Which TensorFlow operations the graph of an export may contain: those that compute, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError

CHECKPOINT_OPERATIONS = frozenset({"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"})
"""They read and write files. Two functions of every SavedModel have them; its signatures never call these."""

_OF_EXPORTS = """
    AddV2 All Any ArgMax Assert AssignVariableOp BatchMatMulV2 BiasAdd Bitcast BitwiseAnd BroadcastTo Cast
    Ceil ConcatV2 Const Conv2D Cos Cumsum DenseBincount DisableCopyOnRead Equal Erfc Exp ExpandDims Fill
    FloorDiv GatherV2 Greater GreaterEqual HashTableV2 Identity IdentityN If IsFinite Less LessEqual Log
    LogSoftmax LogicalAnd LogicalNot LogicalOr LookupTableFindV2 LookupTableImportV2 MatMul Max Maximum
    Mean Minimum Mul Neg NoOp NotEqual OneHot Pack Pad PartitionedCall Placeholder Prod RaggedGather
    RaggedRange RaggedTensorToTensor Range ReadVariableOp RealDiv Relu Reshape ReverseV2 Rsqrt ScatterNd
    SegmentMax SegmentMin Select SelectV2 Shape Sigmoid Sin Size Softmax Split SquaredDifference Squeeze
    StatefulPartitionedCall StatelessWhile StaticRegexFullMatch StopGradient StridedSlice StringJoin
    StringLength StringLower StringSplitV2 Sub Substr Sum Tanh TensorListConcatV2 TensorListFromTensor
    TensorListGetItem TensorListReserve TensorListSetItem TensorListStack TensorScatterUpdate Tile
    Transpose UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode Unique Unpack UnsortedSegmentSum
    UpperBound VarHandleOp Where While ZerosLike
"""
_OF_OTHER_ENCODERS = """
    Abs AddN ArgMin BatchMatMul BatchMatMulV3 BroadcastArgs CheckNumerics ClipByValue
    DepthwiseConv2dNative Div DivNoNan Einsum Elu EnsureShape Erf Expm1 Floor FloorMod FusedBatchNormV3
    GatherNd InvertPermutation IsInf IsNan LeakyRelu Log1p LowerBound MatrixBandPart MaxPool AvgPool Min
    MirrorPad Mod OnesLike PadV2 PlaceholderWithDefault Pow Rank Reciprocal Relu6 ResourceGather
    ReverseSequence Roll Round Selu Sign Slice Softplus Softsign SplitV Sqrt Square StatelessIf
    TensorListConcat TensorListElementShape TensorListGather TensorListLength TensorListPopBack
    TensorListPushBack TensorScatterAdd TopKV2 UnsortedSegmentMax Xdivy
"""

ALLOWED_OPERATIONS = frozenset(f"{_OF_EXPORTS} {_OF_OTHER_ENCODERS}".split())
"""Operations that neither read nor write files, call other programs or computers, nor run code of Python.

The first list is what our exports contain. The second one is what other encoders commonly need.
"""


def check_saved_model(directory: Path) -> None:
    """Check the graph of a SavedModel and all of its functions before TensorFlow loads it.

    Raises:
        SeqlabError: the graph is missing or damaged, or contains an operation that is not allowed.
    """
    path = directory / "saved_model.pb"
    # TensorFlow prefers the first of these to saved_model.pb, and takes the second if there is no other.
    for other in ("saved_model.cpb", "saved_model.pbtxt"):
        if (directory / other).exists():
            raise _refused(directory / other, expected="the graph in saved_model.pb alone", received=other)
    meta_graph = _read_meta_graph(path)
    graph, objects = meta_graph.graph_def, meta_graph.object_graph_def
    functions = graph.library.function
    names = {function.signature.name for function in functions}
    bodies = [("the graph", graph.node), *((f.signature.name, f.node_def) for f in functions)]
    for name, nodes in bodies:
        for node in nodes:
            if node.op not in ALLOWED_OPERATIONS | CHECKPOINT_OPERATIONS | names:
                raise _refused(path, expected="operations that only compute", received=f"{node.op} in {name}")
    checkpoint = {name for name, nodes in bodies if any(node.op in CHECKPOINT_OPERATIONS for node in nodes)}
    called = {
        *(name for function in functions for node in function.node_def for name in _called_names(node)),
        *(gradient.gradient_func for gradient in graph.library.gradient),
        *objects.concrete_functions,
        *(name for item in objects.nodes for name in item.function.concrete_functions),
        *(item.bare_concrete_function.concrete_function_name for item in objects.nodes),
    }
    for name in sorted(checkpoint & {"the graph", *called}):
        raise _refused(path, expected="signatures that only compute", received=f"files are used in {name}")
    if meta_graph.asset_file_def or any(item.HasField("asset") for item in objects.nodes):
        raise _refused(path, expected="a graph that reads no file", received="assets")


def _read_meta_graph(path: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise SeqlabError(
            "the exported model cannot be loaded",
            where=str(path),
            received=str(error).splitlines()[0][:300],
            remedy="it is damaged: copy it or export it again (`dvc repro`)",
        ) from error
    graphs = saved_model.meta_graphs
    # TensorFlow runs any other SavedModel as TensorFlow 1 did: loading it executes parts of the graph.
    if len(graphs) != 1 or not graphs[0].HasField("object_graph_def"):
        raise _refused(path, expected="one graph with an object graph", received=f"{len(graphs)} graphs")
    return graphs[0]


def _called_names(node: Any) -> Iterator[str]:
    yield node.op
    for attribute in node.attr.values():
        yield attribute.func.name
        yield from (function.name for function in attribute.list.func)


def _refused(path: Path, *, expected: str, received: str) -> SeqlabError:
    return SeqlabError(
        "the graph has operations that may do more than compute, so it is not loaded",
        where=str(path),
        expected=expected,
        received=received,
        remedy="load only models that you or someone you trust exported. If an encoder of yours needs the "
        "operation, and it only computes, add it to seqlab/serving/graph_operations.py",
    )
