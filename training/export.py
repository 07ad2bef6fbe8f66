"""The trained model as the engine runs it: an fp32 ONNX file, and an int8 one in models/NAME with all that a model
folder needs.

In: `NAME/calibrated/model.safetensors`, `NAME/judged.jsonl`, `NAME/calibration.json`. Out:

* `NAME/fp32/`: a model folder for comparisons; also `tokenizer.json` and its configuration in `NAME/calibrated`, so
  that sentence-transformers' CrossEncoder loads that folder;
* `models/NAME/`: `model.onnx` (int8, by models/prepare/bert_graph.py), `tokenizer.json`, `bifocal.json`, `LICENSE`;
* `NAME/export.json` and `training/figures/export.NAME.json`: Spearman's correlation and the largest difference of int8 to fp32 over held-out
  pairs, and the calibration error of both.

Usage: export.py --name NAME [--work DIR] [--models-dir DIR] [--max-tokens N] [--smooth]
"""

import argparse
import json
import random
import sys
from pathlib import Path

import blake3
import numpy as np
import onnxruntime
from safetensors.numpy import load_file
from scipy.stats import spearmanr

import common
import scoring
from mine import MODELS, read_run
from pair_tokens import TOKENIZER, PairTokens, batches_by_length

sys.path.insert(0, str(common.PREPARE))
import smoothing  # noqa: E402
from bert_graph import Shape, bert  # noqa: E402

NUM_PAIRS, NUM_CALIBRATION_PAIRS = 1000, 64
MIN_SPEARMAN = 0.99
SOURCE = "training/ of this repository, from the checkpoint all-MiniLM-L6-v2"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--work", type=Path, default=common.WORK)
    arguments.add_argument("--name", required=True)
    arguments.add_argument("--models-dir", type=Path, default=common.REPOSITORY / "models")
    arguments.add_argument("--figures", type=Path, default=common.FIGURES)
    arguments.add_argument("--max-tokens", type=int, default=256, help="longest input that the engine gives the model")
    arguments.add_argument(
        "--smooth", action="store_true", help="even out outlier channels before activations are quantised"
    )
    options = arguments.parse_args()
    trained, target = options.work / options.name, options.models_dir / options.name
    exported = trained / "export.json"
    if exported.exists() and is_shipped(target, json.loads(exported.read_text(encoding="utf-8"))):
        print(f"exists: {target}, exported from {trained}; nothing to do")
        return
    weights = {
        name.removeprefix("bert."): value
        for name, value in load_file(trained / "calibrated" / "model.safetensors").items()
    }
    num_layers = json.loads((trained / "calibrated" / "config.json").read_text())["num_hidden_layers"]
    shape = Shape(num_layers=num_layers, num_heads=12, layer_norm_eps=1e-12)

    tokens, pairs, labels = held_out_pairs(options, NUM_PAIRS + NUM_CALIBRATION_PAIRS)
    divisors = None
    if options.smooth:
        rows = [row(tokens, pair) for pair in pairs[-NUM_CALIBRATION_PAIRS:]]
        divisors = smoothing.divisors(
            weights, shape, [ids[0].tolist() for ids, _ in rows], [types[0].tolist() for _, types in rows]
        )
    fp32 = bert(weights, shape, "fp32", output="logits").SerializeToString(deterministic=True)
    int8 = bert(weights, shape, "int8", divisors, output="logits").SerializeToString(deterministic=True)

    pairs, labels = pairs[:NUM_PAIRS], labels[:NUM_PAIRS]
    exact, close = (scores(model, tokens, pairs) for model in (fp32, int8))
    report = {
        "name": options.name,
        "layers": num_layers,
        "pairs": len(pairs),
        "smoothed": options.smooth,
        "bytes": len(int8),
        "onnxruntime": onnxruntime.__version__,
        "spearman": round(float(spearmanr(exact, close).statistic), 5),
        "largest_logit_difference": round(float(np.abs(exact - close).max()), 3),
        "mean_logit_difference": round(float(np.abs(exact - close).mean()), 4),
        "ece_fp32": round(error(exact, labels), 4),
        "ece_int8": round(error(close, labels), 4),
        "blake3": blake3.blake3(int8).hexdigest(),
    }
    print(json.dumps(report))
    write_folder(trained / "fp32", options, fp32, rows_interact=False)
    write_folder(target, options, int8, rows_interact=True)
    (target / "LICENSE").write_text(
        (common.PREPARE / "licences" / "Apache-2.0").read_text(encoding="utf-8"), encoding="utf-8"
    )
    write_for_sentence_transformers(trained / "calibrated", options.max_tokens)
    common.write_json(options.figures / f"export.{options.name}.json", report)
    common.write_json(exported, report)
    if report["spearman"] < MIN_SPEARMAN:
        sys.exit(f"Spearman {report['spearman']} is below {MIN_SPEARMAN}; try --smooth")


def is_shipped(target, report):
    """Whether the model folder has the file that was exported. A clone has an older one, which says nothing of this training."""
    model = target / "model.onnx"
    return model.exists() and blake3.blake3(model.read_bytes()).hexdigest() == report["blake3"]


def held_out_pairs(options, number):
    """Queries and candidates of the half of the held-out queries that calibration did not fit on, drawn at random."""
    judged = [
        row for row in common.read_jsonl(options.work / options.name / "judged.jsonl") if row["split"] == "held_out"
    ][1::2]
    texts = {pair["_id"]: pair["text"] for pair in common.read_jsonl(options.work / "held_out.jsonl")}
    run = read_run(options.work / "runs" / f"hybrid.{MODELS[0]}.trec")
    queries = [
        {"_id": row["_id"], "query": texts[row["_id"]], "passages": [passage for passage, _ in run[row["_id"]][:10]]}
        for row in judged
    ]
    labelled = [
        ((query["_id"], passage), relevant)
        for query, row in zip(queries, judged)
        for passage, relevant in zip(query["passages"], row["relevant"])
    ]
    random.Random(common.SEED).shuffle(labelled)
    labelled = labelled[:number]
    return (
        PairTokens(options.work, queries, options.max_tokens),
        [pair for pair, _ in labelled],
        np.array([label for _, label in labelled], float),
    )


def row(tokens, pair):
    """A pair alone: ids and types, `[1, tokens]`."""
    ((ids, types, _),) = batches_by_length(tokens, [pair], 1)[0]
    return ids.numpy(), types.numpy()


def scores(model, tokens, pairs):
    """One pair a run, as the engine runs models whose rows interact: logits `[pairs]`."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = []
    for pair in pairs:
        ids, types = row(tokens, pair)
        found.append(
            session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types})[
                0
            ][0]
        )
    return np.array(found)


def error(logits, labels):
    probabilities = scoring.sigmoid(logits)
    return scoring.calibration_error(probabilities, labels, scoring.equal_mass(probabilities))


def tokenizer_json():
    """Truncation and padding are the engine's."""
    tokenizer = json.loads(TOKENIZER.read_text(encoding="utf-8"))
    tokenizer.update(truncation=None, padding=None)
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")).encode()


def write_folder(folder, options, onnx_bytes, rows_interact):
    """A model folder as models/README.md describes it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"model.onnx": onnx_bytes, "tokenizer.json": tokenizer_json()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    common.write_json(
        folder / "bifocal.json",
        {
            "name": options.name,
            "kind": "cross-encoder",
            "onnx": "model.onnx",
            "dims": 0,
            "max_tokens": options.max_tokens,
            "rows_interact": rows_interact,
            "hidden": 384,
            "num_heads": 12,
            "licence": "Apache-2.0",
            "source": SOURCE,
            "blake3": {name: blake3.blake3(content).hexdigest() for name, content in files.items()},
        },
    )


def write_for_sentence_transformers(folder, max_tokens):
    """What Transformers needs beside weights and configuration."""
    (folder / "tokenizer.json").write_bytes(tokenizer_json())
    common.write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "BertTokenizerFast",
            "do_lower_case": True,
            "model_max_length": max_tokens,
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "mask_token": "[MASK]",
        },
    )


if __name__ == "__main__":
    main()
