"""Passages embedded a second: sentence-transformers (PyTorch, fp32) against `bifocal` (ONNX Runtime, int8), same texts, same machine.

    python3 -m venv .venv && .venv/bin/pip install -r benches/compare/requirements-embed.txt
    .venv/bin/python benches/compare/embed_vs_sentence_transformers.py CORPUS.jsonl [--model bge-small-en-v1.5]

CORPUS.jsonl is a BEIR corpus; a passage is title and text of its first documents. Both sides use the same number of threads, cut
texts at the model's longest input, sort them by length themselves, and are measured in turns after a warm-up, tokenisation
included, loading not. The best of the rounds counts. The fp32 checkpoint comes from the registries as models/prepare says, and is checked
against the reference embeddings in fixtures/ first. Leaves out: other batch sizes, GPUs, PyTorch's own int8.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "models" / "prepare"))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("corpus", type=Path)
    arguments.add_argument("--model", default="all-MiniLM-L6-v2", choices=["all-MiniLM-L6-v2", "bge-small-en-v1.5"])
    arguments.add_argument("--texts", type=int, default=500, help="passages (default 500)")
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--bifocal", type=Path, default=REPOSITORY / "target" / "release" / "bifocal")
    arguments.add_argument("--work", type=Path, default=REPOSITORY / "target" / "prepare", help="where downloads lie")
    options = arguments.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)

    description = json.loads((REPOSITORY / "models" / options.model / "bifocal.json").read_text(encoding="utf-8"))
    texts = read_texts(options.corpus, options.texts)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model = sentence_transformer(options.model, description, options.work, options.threads, folder / "fp32")
        file = folder / "texts.jsonl"
        file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
        theirs = ours = 0.0
        for _ in range(options.rounds):
            theirs = max(theirs, measure_sentence_transformers(model, texts))
            ours = max(ours, measure_bifocal(options, file))
    print(f"machine              {cpu()}, {options.threads} threads")
    print(f"model, texts         {options.model}, {len(texts)} passages of {options.corpus}")
    print(f"sentence-transformers {theirs:8.1f} passages a second (PyTorch fp32)")
    print(f"bifocal               {ours:8.1f} passages a second (int8)")
    print(f"ratio                 {ours / theirs:8.2f}")


def read_texts(corpus, number):
    texts = []
    with corpus.open(encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            texts.append(f"{document.get('title', '')} {document['text']}".strip())
            if len(texts) == number:
                break
    return texts


def sentence_transformer(name, description, work, threads, folder):
    """The fp32 model as sentence-transformers runs it, from the checkpoint that models/prepare uses."""
    import numpy as np
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    from prepare import MODELS

    torch.set_num_threads(threads)
    model = next(model for model in MODELS if model.name == name)
    weights, tokenizer_json, _ = model.fetch(work)
    size, wide = weights["encoder.layer.0.intermediate.dense.weight"].shape[::-1]
    config = transformers.BertConfig(
        vocab_size=len(weights["embeddings.word_embeddings.weight"]), hidden_size=size, intermediate_size=wide,
        num_hidden_layers=model.shape.num_layers, num_attention_heads=model.shape.num_heads, layer_norm_eps=model.shape.layer_norm_eps)
    network = transformers.BertModel(config, add_pooling_layer=False)
    tensors = {key: torch.tensor(np.ascontiguousarray(value)) for key, value in weights.items()}
    missing = network.load_state_dict(tensors, strict=False).missing_keys
    assert not missing, missing
    network.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json), encoding="utf-8")
    specials = dict(cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
    transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **specials).save_pretrained(folder)
    transformer = modules.Transformer(str(folder), max_seq_length=description["max_tokens"])
    pooling = modules.Pooling(description["dims"], pooling_mode=description["pooling"])
    built = SentenceTransformer(modules=[transformer, pooling, modules.Normalize()], device="cpu")

    reference = REPOSITORY / "fixtures" / "models" / "reference"
    items = json.loads((reference / "texts.json").read_text(encoding="utf-8"))
    expected = np.array(json.loads((reference / f"{name}.json").read_text(encoding="utf-8")))
    cosines = (built.encode([item["text"] * item.get("repeat", 1) for item in items]) * expected).sum(axis=1)
    print(f"sentence-transformers against fixtures/models/reference: smallest cosine {cosines.min():.6f}")
    return built


def measure_sentence_transformers(model, texts):
    model.encode(texts[:8])
    started = time.perf_counter()
    model.encode(texts, batch_size=32, show_progress_bar=False)
    return len(texts) / (time.perf_counter() - started)


def measure_bifocal(options, file):
    command = [str(options.bifocal), "models", "check", options.model, "--texts", str(file), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["passages_per_s"]


def cpu():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return f"{name} ({'AVX-512 VNNI' if 'avx512_vnni' in flags else 'AVX2' if 'avx2' in flags else 'no AVX2'})"


if __name__ == "__main__":
    main()
