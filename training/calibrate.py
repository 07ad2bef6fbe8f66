"""Makes the sigmoid of the logit a probability, and finds how much the re-ranker's score should count.

In: `NAME/model.safetensors`, and the fused order of the held-out and the unseen queries (mine.py). Out, in `NAME/`:

* `judged.jsonl`: `_id`, `source`, `split`, `relevant`, `fused`, `logits` of each query's candidates (50, or 10 of most
  queries);
* `calibrated/model.safetensors`: the same model, the classifier multiplied by a scale and moved by an offset;
* `calibration.json`, also kept as `training/figures/calibration.NAME.json`: expected calibration error before and
  after, reliability, quality by weight.

Scale and offset minimise the log loss (Platt, 1999) over what a search shows: the best ten candidates of half of the
held-out queries. The error is reported on the other half and on the unseen sources. Passages that nobody marked count
as wrong, though some of them do answer the query: a stated 90 percent is therefore more often right than the figures
say.

The weight `w` of `standardised fused score + w * standardised logit` is the one that ranks the unseen sources best, on
average over the sources, because people's collections are unseen ones; the held-out pairs, of sources that were
trained on, are shown beside.

Usage: calibrate.py --name NAME [--work DIR] [--weight-queries N]
"""

import argparse
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

import common
import model as cross_encoder
import scoring
from mine import MODELS, read_run
from pair_tokens import PairTokens

CALIBRATION_DEPTH, RERANK_DEPTH = 10, 50
WEIGHTS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--work", type=Path, default=common.WORK)
    arguments.add_argument("--name", required=True)
    arguments.add_argument("--bi-encoder", default=MODELS[0], help="whose fused order is re-ranked")
    arguments.add_argument(
        "--weight-queries", type=int, default=300, help="of the held-out and of each unseen source, read to depth 50"
    )
    arguments.add_argument("--max-tokens", type=int, default=192)
    arguments.add_argument("--threads", type=int)
    arguments.add_argument("--figures", type=Path, default=common.FIGURES)
    options = arguments.parse_args()
    folder = options.work / options.name
    if common.done(folder / "calibrated" / "model.safetensors", folder / "calibration.json"):
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    model = cross_encoder.load(folder / "model.safetensors").to("cuda" if torch.cuda.is_available() else "cpu")
    if not (folder / "judged.jsonl").exists():
        common.write_jsonl(folder / "judged.jsonl", judge(model, options))
    judged = list(common.read_jsonl(folder / "judged.jsonl"))

    held_out = [row for row in judged if row["split"] == "held_out"]
    fitted_on, reported_on = flat(held_out[0::2]), flat(held_out[1::2])
    unseen = flat([row for row in judged if row["split"] == "unseen"])
    scale, offset = platt(*fitted_on)
    report = {"name": options.name, "scale": scale, "offset": offset, "pairs_fitted_on": len(fitted_on[0])}
    for name, (logits, labels) in {"held_out": reported_on, "unseen": unseen}.items():
        report[name] = {
            "pairs": len(labels),
            "share_relevant": round(float(labels.mean()), 4),
            "before": errors(scoring.sigmoid(logits), labels),
            "after": errors(scoring.sigmoid(scale * logits + offset), labels),
        }
    report["reliability_held_out"] = reliability(scoring.sigmoid(scale * reported_on[0] + offset), reported_on[1])
    report["by_weight"] = by_weight([row for row in judged if len(row["fused"]) > CALIBRATION_DEPTH])
    report["weight"] = max(report["by_weight"][:-1], key=lambda row: row["unseen"]["nDCG@10"])["weight"]
    common.write_json(folder / "calibration.json", report)
    common.write_json(options.figures / f"calibration.{options.name}.json", report)

    with torch.no_grad():
        model.classifier.weight.mul_(scale)
        model.classifier.bias.mul_(scale).add_(offset)
    cross_encoder.save(model, folder / "calibrated" / "model.safetensors")
    for name in ("held_out", "unseen"):
        print(name, {part: report[name][part]["equal_mass_15"] for part in ("before", "after")}, "ECE")
    for row in report["by_weight"]:
        print(row)
    print("weight", report["weight"])


def judge(model, options):
    """The candidates of each query with the model's logits."""
    run = read_run(options.work / "runs" / f"hybrid.{options.bi_encoder}.trec")
    rng = random.Random(common.SEED)
    queries = []
    for split in ("held_out", "unseen"):
        by_source = defaultdict(list)
        for pair in common.read_jsonl(options.work / f"{split}.jsonl"):
            # The held-out pairs count as one lot here, each unseen source as its own.
            if pair["_id"] in run:
                by_source[pair["source"] if split == "unseen" else split].append(pair)
        for pairs in by_source.values():
            rng.shuffle(pairs)
            for number, pair in enumerate(pairs):
                depth = RERANK_DEPTH if number < options.weight_queries else CALIBRATION_DEPTH
                best = run[pair["_id"]][:depth]
                queries.append(
                    {
                        "_id": pair["_id"],
                        "query": pair["text"],
                        "source": pair["source"],
                        "split": split,
                        "passages": [passage for passage, _ in best],
                        "fused": [score for _, score in best],
                        "relevant": [passage in {pair["positive"], *pair["also"]} for passage, _ in best],
                    }
                )
    tokens = PairTokens(options.work, queries, options.max_tokens)
    pairs = [(query["_id"], passage) for query in queries for passage in query["passages"]]
    print(f"{len(pairs)} pairs to read", flush=True)
    found = iter(scoring.logits(model, tokens, pairs))
    for query in queries:
        logits = [round(float(next(found)), 4) for _ in query["passages"]]
        yield {**{key: query[key] for key in ("_id", "source", "split", "relevant", "fused")}, "logits": logits}


def flat(rows):
    """Logits and labels of the best ten candidates of every query."""
    logits = [logit for row in rows for logit in row["logits"][:CALIBRATION_DEPTH]]
    labels = [label for row in rows for label in row["relevant"][:CALIBRATION_DEPTH]]
    return np.array(logits), np.array(labels, dtype=float)


def platt(logits, labels):
    """Scale and offset with the least log loss; the scale is positive, so the order stays."""

    def loss(parameters):
        values = np.exp(parameters[0]) * logits + parameters[1]
        return np.mean(np.logaddexp(0, values) - labels * values)

    found = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9, "maxiter": 4000})
    return round(float(np.exp(found.x[0])), 5), round(float(found.x[1]), 5)


def errors(probabilities, labels):
    return {
        "equal_mass_15": round(scoring.calibration_error(probabilities, labels, scoring.equal_mass(probabilities)), 4),
        "equal_width_10": round(
            scoring.calibration_error(probabilities, labels, scoring.equal_width(probabilities)), 4
        ),
        "brier": round(float(np.mean((probabilities - labels) ** 2)), 4),
    }


def reliability(probabilities, labels):
    """What was said and what was found, a row a tenth."""
    return [
        {
            "from": number / 10,
            "pairs": len(own),
            "stated": round(float(probabilities[own].mean()), 3),
            "found": round(float(labels[own].mean()), 3),
        }
        for number, own in enumerate(scoring.equal_width(probabilities))
        if len(own)
    ]


def by_weight(rows):
    """Quality of each weight, and of the cross-encoder alone: means over the unseen sources and over the held-out
    queries."""
    table = []
    for weight in [*WEIGHTS, "alone"]:
        found = defaultdict(list)
        for row in rows:
            fused, logits = scoring.standardised(row["fused"]), scoring.standardised(row["logits"])
            final = logits if weight == "alone" else fused + weight * logits
            relevant = np.array(row["relevant"])[np.argsort(-final, kind="stable")]
            found[row["split"], row["source"]].append((scoring.ndcg_10(relevant), scoring.rr_10(relevant)))
        unseen = np.array([np.mean(scores, axis=0) for (split, _), scores in found.items() if split == "unseen"]).mean(
            axis=0
        )
        held_out = np.array(
            [score for (split, _), scores in found.items() if split == "held_out" for score in scores]
        ).mean(axis=0)
        table.append(
            {
                "weight": weight,
                **{
                    name: {"nDCG@10": round(float(ndcg), 4), "RR@10": round(float(rr), 4)}
                    for name, (ndcg, rr) in (("unseen", unseen), ("held_out", held_out))
                },
            }
        )
    return table


if __name__ == "__main__":
    main()
