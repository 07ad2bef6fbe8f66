"""Finds the few channels whose outliers would coarsen the 8-bit activations of a whole batch, and what to divide them by.

BERT's feed-forward layers have single channels that reach ten times what the others do. One scale serves a whole tensor when
activations are quantised dynamically, so these channels cost all others their precision. Dividing such a channel by a constant
and multiplying the matrix row that reads it by the same constant changes nothing in exact arithmetic.

Source of the idea: Xiao et al., SmoothQuant, ICML 2023 (<https://arxiv.org/abs/2211.10438>), here for outliers only.
"""

import numpy as np
import onnx
import onnxruntime

from bert_graph import bert

# Channels above this quantile of the channels' maxima are brought down to it.
QUANTILE = 0.98


def divisors(weights, shape, encoded_texts, types=None):
    """`{(layer, site): [channels]}` for the inputs of attention and of both feed-forward matrices; 1.0 for most channels.

    `encoded_texts`: lists of token ids; `types`: their token types, all 0 when None.
    """
    maxima = _maxima(weights, shape, encoded_texts, types or [[0] * len(ids) for ids in encoded_texts])
    found = {}
    for layer in range(shape.num_layers):
        before = "embeddings" if layer == 0 else f"layer{layer - 1}_out"
        sites = {"attention.self": before, "intermediate.dense": f"layer{layer}_attention", "output.dense": f"layer{layer}_gelu"}
        for site, tensor in sites.items():
            largest = maxima[tensor]
            found[layer, site] = np.maximum(1.0, largest / np.quantile(largest, QUANTILE)).astype(np.float32)
    return found


def _maxima(weights, shape, encoded_texts, types):
    model = bert(weights, shape, "fp32")
    names = ["embeddings"] + [f"layer{layer}_{part}" for layer in range(shape.num_layers) for part in ("attention", "gelu", "out")]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    largest = {name: 0.0 for name in names}
    for ids, own_types in zip(encoded_texts, types):
        ids, own_types = np.array([ids], dtype=np.int64), np.array([own_types], dtype=np.int64)
        values = session.run(names, {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": own_types})
        for name, value in zip(names, values):
            largest[name] = np.maximum(largest[name], np.abs(value).max(axis=(0, 1)))
    return largest
