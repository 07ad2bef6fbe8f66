"""Writes a BERT encoder as an ONNX graph, from its weights alone: no PyTorch, no export, no pattern matching.

In: a dictionary of weights under their Hugging Face names, and the shape of the encoder. Out: an ONNX model with the inputs
`input_ids`, `attention_mask`, `token_type_ids` (int64, `[batch, tokens]`) and the output `last_hidden_state`
(float32, `[batch, tokens, hidden]`), or the first token of it, or one logit a row.

The graph uses ONNX Runtime's own fused operators (domain `com.microsoft`): attention and Gelu are one node each. Two precisions:

* `fp32`: the weights as they are; the reference.
* `int8`: every weight matrix as signed integers of 7 of the 8 bits (-63..=63), one scale per output column, symmetric;
  activations are quantised while running ("dynamic"). Seven bits, because CPUs with AVX2 and no VNNI add two 8-bit products in
  16 bits and saturate. The word embeddings are 8-bit integers with one scale a token, so that a token with large values does
  not coarsen the others. Biases, layer norms, position and type embeddings stay float32.

PERF: three choices of the int8 graph, measured for 240 to 250 tokens on one Zen 3 core with onnxruntime 1.32:
layer normalisation is written as InstanceNormalization over `[1, batch * tokens, hidden]`, the same formula, because LayerNormalization
and SkipLayerNormalization are scalar loops on CPUs (557 us for 250 x 384 against 118 us); Gelu is the tanh form (0.32 ms for
240 x 1536 against 0.39 ms); attention takes the mask only where there is padding (an `If`), which saves 3 percent of a run.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"
# The largest code of a weight: 2 * 255 * 63 = 32130 fits into the 16 bits of AVX2's vpmaddubsw, 2 * 255 * 127 does not.
MAX_CODE = 63


@dataclass(frozen=True)
class Shape:
    """What the weights do not say by themselves."""

    num_layers: int
    num_heads: int
    layer_norm_eps: float


class Graph:
    """Collects nodes and initialisers; every method returns the name of its output."""

    def __init__(self):
        self.nodes, self.initializers, self._names = [], [], set()

    def constant(self, name, array):
        if name not in self._names:
            self._names.add(name)
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output


def quantise_columns(weight):
    """`[in, out]` floats to signed bytes and one scale per column: `weight ~ codes * scales`."""
    scales = np.maximum(np.abs(weight).max(axis=0), 1e-12) / MAX_CODE
    codes = np.clip(np.rint(weight / scales), -MAX_CODE, MAX_CODE).astype(np.int8)
    return codes, scales.astype(np.float32)


def bert(weights, shape, precision, divisors=None, output="last_hidden_state"):
    """The encoder as an ONNX model. `weights` has Hugging Face's names without the `bert.` prefix; matrices are `[out, in]`.

    `divisors`: for some (layer, site), what each channel of that matrix product's input is divided by before it is quantised
    (see `smoothing.py`); the rows of the matrix are multiplied by the same numbers, so the product stays as it was.

    `output`: `last_hidden_state`, or (int8 only) `first_hidden_state`, `[batch, 1, hidden]`: the first token alone, for models that
    are pooled by it. The last layer then needs the other tokens' keys and values only, a saving of most of that layer. Or `logits`,
    `[batch]`: the first token through `pooler.dense`, tanh and `classifier`, for cross-encoders; the head stays float32.
    """
    graph = Graph()
    hidden = _embeddings(graph, weights, shape, precision)
    smallest = graph.node("ReduceMin", ["attention_mask"], "smallest", keepdims=0)
    graph.node("Cast", [smallest], "no_padding", to=TensorProto.BOOL)
    mask = graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    for layer in range(shape.num_layers):
        only_first = output != "last_hidden_state" and precision == "int8" and layer == shape.num_layers - 1
        hidden = _layer(graph, weights, shape, precision, divisors or {}, layer, hidden, mask, only_first)
    if output == "logits":
        _head(graph, weights, hidden)
    else:
        graph.node("Identity", [hidden], output)
    size = weights["embeddings.LayerNorm.weight"].shape[0]
    shapes = {"last_hidden_state": ["batch", "tokens", size], "first_hidden_state": ["batch", 1, size], "logits": ["batch"]}
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
           for name in ("input_ids", "attention_mask", "token_type_ids")]
    out = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shapes[output])]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "bert", ids, out, graph.initializers),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)],
        producer_name="bifocal models/prepare",
    )
    model.ir_version = 8
    return model


def _head(graph, weights, hidden):
    """`[batch, tokens, hidden]` -> `logits`, `[batch]`."""
    first = graph.node("Gather", [hidden, graph.constant("zero", np.array([0]))], "first", axis=1)
    first = graph.node("Squeeze", [first, graph.constant("one", np.array([1]))], "first_row")
    names = ["pooler.dense.weight", "pooler.dense.bias"]
    pooled = graph.node("Gemm", [first, *(graph.constant(name, weights[name]) for name in names)], "pooled", transB=1)
    names = ["classifier.weight", "classifier.bias"]
    inputs = [graph.node("Tanh", [pooled], "pooled_tanh"), *(graph.constant(name, weights[name]) for name in names)]
    logits = graph.node("Gemm", inputs, "logits_column", transB=1)
    graph.node("Squeeze", [logits, graph.constant("one", np.array([1]))], "logits")


def _embeddings(graph, weights, shape, precision):
    words = weights["embeddings.word_embeddings.weight"]
    if precision == "fp32":
        word = graph.node("Gather", [graph.constant("words", words), "input_ids"], "word")
    else:
        scales = np.maximum(np.abs(words).max(axis=1, keepdims=True), 1e-12) / 127
        codes = np.clip(np.rint(words / scales), -127, 127).astype(np.int8)
        code = graph.node("Gather", [graph.constant("words", codes), "input_ids"], "word_code")
        scale = graph.node("Gather", [graph.constant("word_scales", scales.astype(np.float32)), "input_ids"], "word_scale")
        word = graph.node("Mul", [graph.node("Cast", [code], "word_float", to=TensorProto.FLOAT), scale], "word")
    tokens = graph.node("Gather", [graph.node("Shape", ["input_ids"], "ids_shape"), graph.constant("one", np.array([1]))], "num_tokens")
    positions = graph.node(
        "Slice",
        [graph.constant("positions", weights["embeddings.position_embeddings.weight"]), graph.constant("zero", np.array([0])), tokens],
        "position",
    )
    types = graph.constant("types", weights["embeddings.token_type_embeddings.weight"])
    summed = graph.node("Add", [word, graph.node("Gather", [types, "token_type_ids"], "type")], "word_and_type")
    return _normalise(graph, weights, shape, precision, graph.node("Add", [summed, positions], "embedded"), "embeddings.LayerNorm", "embeddings")


def _normalise(graph, weights, shape, precision, value, key, output):
    """Layer normalisation over the last axis."""
    gamma, beta = (graph.constant(f"{output}_{part}", weights[f"{key}.{part}"]) for part in ("weight", "bias"))
    if precision == "fp32":
        return graph.node("LayerNormalization", [value, gamma, beta], output, axis=-1, epsilon=shape.layer_norm_eps)
    size = weights[f"{key}.weight"].shape[0]
    rows = graph.node("Reshape", [value, graph.constant("as_rows", np.array([1, -1, size]))], output + "_rows")
    count = graph.node("Slice", [graph.node("Shape", [rows], output + "_rows_shape"), graph.constant("one", np.array([1])), graph.constant("two", np.array([2]))], output + "_count")
    fills = [graph.node("ConstantOfShape", [count], f"{output}_{name}", value=helper.make_tensor(name, TensorProto.FLOAT, [1], [fill])) for name, fill in (("ones", 1.0), ("zeros", 0.0))]
    normal = graph.node("InstanceNormalization", [rows, *fills], output + "_normal", epsilon=shape.layer_norm_eps)
    shaped = graph.node("Reshape", [normal, graph.node("Shape", [value], output + "_shape")], output + "_shaped")
    return graph.node("Add", [graph.node("Mul", [shaped, gamma], output + "_scaled"), beta], output)


def _attention_branch(name, inputs, num_heads):
    """Attention as a branch of an `If`: it has no weights, so two of them cost nothing."""
    node = helper.make_node("MultiHeadAttention", inputs, [name + "_out"], name=name, domain=MICROSOFT, num_heads=num_heads)
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name + "_out", TensorProto.FLOAT, None)])


def _layer(graph, weights, shape, precision, divisors, layer, hidden, mask, only_first):
    prefix = f"encoder.layer.{layer}."
    name = f"layer{layer}_"

    def weight(key):
        return weights[f"{prefix}{key}.weight"].T

    def bias(key):
        return weights[f"{prefix}{key}.bias"]

    def divided(site, value, matrix, output):
        """The input of a matrix product and its matrix, with the outliers moved from the one into the other."""
        by = divisors.get((layer, site))
        if by is None:
            return value, matrix
        return graph.node("Mul", [value, graph.constant(output + "_inverse", 1 / by)], output + "_even"), matrix * by[:, None]

    def linear(site, value, output):
        """`value @ weight + bias`."""
        if precision == "fp32":
            product = graph.node("MatMul", [value, graph.constant(output + "_w", weight(site))], output + "_product")
            return graph.node("Add", [product, graph.constant(output + "_b", bias(site))], output)
        value, matrix = divided(site, value, weight(site), output)
        codes, scales = quantise_columns(matrix)
        inputs = [value, graph.constant(output + "_w", codes), graph.constant(output + "_s", scales),
                  graph.constant(output + "_z", np.zeros_like(scales, dtype=np.int8)), graph.constant(output + "_b", bias(site))]
        return graph.node("DynamicQuantizeMatMul", inputs, output, domain=MICROSOFT)

    def attention(value, output):
        """Every head at once, over the tokens that are not padding."""
        parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
        matrix, offset = np.concatenate([weight(part) for part in parts], axis=1), np.concatenate([bias(part) for part in parts])
        if precision == "fp32":
            inputs = [value, graph.constant(output + "_w", matrix), graph.constant(output + "_b", offset), mask]
            return graph.node("Attention", inputs, output, domain=MICROSOFT, num_heads=shape.num_heads)
        value, matrix = divided("attention.self", value, matrix, output)
        codes, scales = quantise_columns(matrix)
        inputs = [value, graph.constant(output + "_w", codes), graph.constant(output + "_s", scales),
                  graph.constant(output + "_z", np.zeros_like(scales, dtype=np.int8)), graph.constant(output + "_b", offset)]
        projected = graph.node("DynamicQuantizeMatMul", inputs, output + "_qkv", domain=MICROSOFT)
        heads = [f"{output}_{part}" for part in ("query", "key", "value")]
        graph.nodes.append(helper.make_node("Split", [projected], heads, name=output + "_split", axis=-1))
        if only_first:
            heads[0] = first(heads[0])
        branches = {"then_branch": heads, "else_branch": [*heads, "", mask]}
        return graph.node("If", ["no_padding"], output, **{
            branch: _attention_branch(f"{output}_{branch}", inputs, shape.num_heads) for branch, inputs in branches.items()})

    def add_and_normalise(value, residual, key, output):
        return _normalise(graph, weights, shape, precision, graph.node("Add", [value, residual], output + "_sum"), prefix + key, output)

    def first(value):
        """The first token of every text."""
        bounds = [graph.constant(label, np.array([number])) for label, number in (("zero", 0), ("one", 1), ("one", 1))]
        return graph.node("Slice", [value, *bounds], value + "_first")

    context = attention(hidden, name + "context")
    if only_first:
        hidden = first(hidden)
    attended = add_and_normalise(linear("attention.output.dense", context, name + "attended"), hidden, "attention.output.LayerNorm", name + "attention")
    gelu = "Gelu" if precision == "fp32" else "FastGelu"
    wide = graph.node(gelu, [linear("intermediate.dense", attended, name + "wide")], name + "gelu", domain=MICROSOFT)
    return add_and_normalise(linear("output.dense", wide, name + "narrow"), attended, "output.LayerNorm", name + "out")
