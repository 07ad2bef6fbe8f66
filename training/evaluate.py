"""Quality of the re-rankers on the judged collections, by the engine's command line.

For every collection in BEIR layout and both bi-encoders: `bifocal index`, then runs of the plans lexical, dense,
hybrid, and hybrid with the best 50 re-ranked by each model, once with the weight that calibrate.py chose and once by
the cross-encoder alone. Measures: nDCG@10, RR@10, R@100 by ir_measures. Each re-ranked run is compared with the hybrid
run that it started from: paired t-test and paired randomisation test over queries.

trec_dl19_pool is no collection to search (its corpus is the best 100 of several systems): there the best 100 of its
BM25 run are the candidates, `hybrid` fuses BM25's scores with the dense leg's, and the best 50 of that are re-ranked.

The order by the cross-encoder alone is worked out from the weighted run, whose scores are `standardised fused + w *
standardised logit`: subtracting the first part and sorting saves half of the reading.

Out: `training/figures/quality.json` and `quality.md`; runs and the figures so far stay in WORK/evaluation, where a second call goes on.

Usage: evaluate.py --collections DIR [--work DIR] [--bifocal PROGRAM] [--only NAME ...] [--models NAME ...]
[--rerankers NAME ...]
"""

import argparse
import json
import os
from pathlib import Path

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG
from scipy.stats import ttest_rel

import common
import scoring
from mine import MODELS, WEIGHTS, Bifocal, read_run

# TREC 2019 counts a passage of grade 1 ("related") as not relevant in the two measures that are not graded.
MEASURES = {"nDCG@10": nDCG @ 10, "RR@10": RR @ 10, "R@100": R @ 100}
POOLED_MEASURES = {"nDCG@10": nDCG @ 10, "RR@10": RR(rel=2) @ 10, "R@100": R(rel=2) @ 100}
RERANKERS = ["bifocal-reranker-small", "bifocal-reranker-tiny"]
DEPTH, RERANK_DEPTH, NUM_PERMUTATIONS = 100, 50, 10000
POOLED = "trec_dl19_pool"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--collections", type=Path, required=True)
    arguments.add_argument("--work", type=Path, default=common.WORK)
    arguments.add_argument(
        "--bifocal", default=os.environ.get("BIFOCAL", common.REPOSITORY / "target" / "release" / "bifocal")
    )
    arguments.add_argument("--models-dir", type=Path, default=common.REPOSITORY / "models")
    arguments.add_argument("--figures", type=Path, default=common.FIGURES)
    arguments.add_argument("--only", nargs="*", metavar="COLLECTION")
    arguments.add_argument("--models", nargs="+", default=MODELS, metavar="BI-ENCODER")
    arguments.add_argument(
        "--rerankers", nargs="+", default=RERANKERS, metavar="NAME", help="names in the models folder, or folders"
    )
    arguments.add_argument("--weight", type=float, help="of the re-ranker; as calibrate.py chose it when absent")
    options = arguments.parse_args()
    out = options.figures / "quality.json"
    # Not the kept figures: those are of the models that were shipped before.
    so_far = options.work / "evaluation" / "quality.json"
    figures = json.loads(so_far.read_text(encoding="utf-8")) if so_far.exists() else []
    finished = {(row["collection"], row["bi_encoder"], row["plan"]) for row in figures}
    for collection in sorted(path for path in options.collections.iterdir() if (path / "corpus.jsonl").exists()):
        if options.only and collection.name not in options.only:
            continue
        qrels = read_qrels(collection)
        for bi_encoder in options.models:
            plans = ["lexical", "dense", "hybrid", *(Path(name).name for name in options.rerankers)]
            if all((collection.name, bi_encoder, plan) in finished for plan in plans):
                continue
            runs = (pooled_runs if collection.name == POOLED else engine_runs)(
                collection, bi_encoder, options, set(qrels)
            )
            rows = measured(collection.name, bi_encoder, runs, qrels)
            kept = [row for row in figures if (row["collection"], row["bi_encoder"]) != (collection.name, bi_encoder)]
            figures = sorted([*kept, *rows], key=lambda row: (row["collection"], row["bi_encoder"]))
            common.write_json(so_far, figures)
            common.write_json(out, figures)
            common.write_text(out.with_suffix(".md"), table(figures))
    print(table(figures))


def read_qrels(collection):
    """Query -> document -> grade, of the queries with a relevant document."""
    path = collection / "qrels" / ("full.tsv" if collection.name == POOLED else "test.tsv")
    qrels = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        query, document, grade = line.split("\t")
        if grade.lstrip("-").isdigit():
            qrels.setdefault(query, {})[document] = int(grade)
    return {query: judged for query, judged in qrels.items() if max(judged.values()) > 0}


def engine_runs(collection, bi_encoder, options, judged):
    """Plan -> run, as the engine searches."""
    bifocal, index, queries = prepared(collection, bi_encoder, options, judged)
    name = f"{collection.name}.{bi_encoder}"
    runs = {
        plan: read_run(bifocal.run(index, queries, plan, DEPTH, f"{name}.{plan}"))
        for plan in ("lexical", "dense", "hybrid")
    }
    for reranker in options.rerankers:
        folder, weight = located(reranker, options)
        plan = {
            "name": folder.name,
            "legs": [{"lexical": {}}, {"dense": {}}],
            "fusion": {"weighted_sum": {"normalizer": "z_score"}},
            "rerank": {"model": str(folder), "rerank_depth": RERANK_DEPTH, "weight": weight},
        }
        run = read_run(bifocal.run(index, queries, json.dumps(plan), DEPTH, f"{name}.{folder.name}.{weight}"))
        runs[folder.name] = run
        runs[f"{folder.name}, alone"] = {query: alone(run[query], runs["hybrid"][query], weight) for query in run}
    return runs


def prepared(collection, bi_encoder, options, judged):
    """The engine, an index of the collection, and its judged queries."""
    work = options.work / "evaluation"
    work.mkdir(parents=True, exist_ok=True)
    bifocal = Bifocal(options.bifocal, work)
    queries = work / f"{collection.name}.queries.jsonl"
    common.write_jsonl(
        queries, (row for row in common.read_jsonl(collection / "queries.jsonl") if row["_id"] in judged)
    )
    return bifocal, bifocal.index(bi_encoder, collection / "corpus.jsonl", collection.name), queries


def located(reranker, options):
    """A re-ranker's folder and weight."""
    folder = Path(reranker).resolve() if "/" in reranker else (options.models_dir / reranker).resolve()
    calibration = options.work / folder.name / "calibration.json"
    weight = options.weight or json.loads(calibration.read_text())["weight"]
    return folder, weight or 0.5


def alone(run, hybrid, weight):
    """The order that the cross-encoder alone gives: see the module."""
    fused = dict(hybrid[:RERANK_DEPTH])
    read = [(document, score) for document, score in run if document in fused]
    standardised = dict(zip(fused, scoring.standardised(list(fused.values()))))
    logits = sorted(
        ((document, (score - standardised[document]) / weight) for document, score in read), key=lambda pair: -pair[1]
    )
    lowest = min((score for _, score in logits), default=0.0)
    rest = [document for document, _ in run if document not in fused]
    return logits + [(document, lowest - 1 - place) for place, document in enumerate(rest)]


def pooled_runs(collection, bi_encoder, options, judged):
    """Plan -> run over the best 100 of the collection's BM25 run."""
    bifocal, index, queries = prepared(collection, bi_encoder, options, judged)
    lexical = {
        query: run for query, run in read_run(collection / "runs" / "BM25.top100.trec").items() if query in judged
    }
    dense = read_run(bifocal.run(index, queries, "dense", 10000, f"{collection.name}.{bi_encoder}.dense"))
    runs = {"lexical": lexical, "dense": {}, "hybrid": {}}
    for query, candidates in lexical.items():
        documents = [document for document, _ in candidates]
        cosine = dict(dense[query])
        lowest = min(cosine.values())
        cosines = [cosine.get(document, lowest) for document in documents]
        fused = WEIGHTS["lexical"] * scoring.standardised([score for _, score in candidates]) + WEIGHTS[
            "dense"
        ] * scoring.standardised(cosines)
        runs["dense"][query] = ordered(documents, cosines)
        runs["hybrid"][query] = ordered(documents, fused)
    texts = {row["_id"]: row["text"] for row in common.read_jsonl(collection / "corpus.jsonl")}
    asked = {row["_id"]: row["text"] for row in common.read_jsonl(queries)}
    for reranker in options.rerankers:
        folder, weight = located(reranker, options)
        model = OnnxCrossEncoder(folder)
        together, cross_encoder = {}, {}
        for query, run in runs["hybrid"].items():
            read, rest = run[:RERANK_DEPTH], run[RERANK_DEPTH:]
            logits = model.score(asked[query], [texts[document] for document, _ in read])
            documents = [document for document, _ in read]
            final = scoring.standardised([score for _, score in read]) + weight * scoring.standardised(logits)
            together[query] = followed_by(ordered(documents, final), rest)
            cross_encoder[query] = followed_by(ordered(documents, logits), rest)
        runs[folder.name], runs[f"{folder.name}, alone"] = together, cross_encoder
    return runs


def ordered(documents, scores):
    return sorted(zip(documents, map(float, scores)), key=lambda pair: (-pair[1], pair[0]))


def followed_by(read, rest):
    lowest = read[-1][1] if read else 0.0
    return read + [(document, lowest - 1 - place) for place, (document, _) in enumerate(rest)]


class OnnxCrossEncoder:
    """A model folder by ONNX Runtime in Python, one pair a run."""

    def __init__(self, folder, threads=None):
        import onnxruntime
        from tokenizers import Tokenizer

        described = json.loads((folder / "bifocal.json").read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(described["max_tokens"], strategy="only_second")
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads or 0
        self.session = onnxruntime.InferenceSession(
            str(folder / described["onnx"]), settings, providers=["CPUExecutionProvider"]
        )

    def score(self, query, passages):
        found = []
        for encoding in self.tokenizer.encode_batch([(query, passage) for passage in passages]):
            ids, types = (np.array([part], dtype=np.int64) for part in (encoding.ids, encoding.type_ids))
            inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types}
            found.append(float(self.session.run(["logits"], inputs)[0][0]))
        return found


def measured(collection, bi_encoder, runs, qrels):
    """A row of figures for every run, the re-ranked ones compared with the hybrid one."""
    measures = POOLED_MEASURES if collection == POOLED else MEASURES
    by_query = {plan: per_query(run, qrels, measures) for plan, run in runs.items()}
    rows = []
    for plan, scores in by_query.items():
        row = {
            "collection": collection,
            "bi_encoder": bi_encoder,
            "plan": plan,
            "queries": len(qrels),
            **{name: round(float(values.mean()), 4) for name, values in scores.items()},
        }
        if plan not in ("lexical", "dense", "hybrid"):
            differences = scores["nDCG@10"] - by_query["hybrid"]["nDCG@10"]
            row["against_hybrid"] = {
                "nDCG@10": round(float(differences.mean()), 4),
                "p_t_test": p_t_test(differences),
                "p_randomisation": p_randomisation(differences),
            }
        rows.append(row)
    return rows


def per_query(run, qrels, measures):
    """Measure -> a score for every judged query, in one order; 0 where a query has no results."""
    scored = {query: dict(run.get(query, [])) for query in qrels}
    found = {}
    for name, measure in measures.items():
        scores = dict.fromkeys(sorted(qrels), 0.0)
        scores.update((value.query_id, value.value) for value in ir_measures.iter_calc([measure], qrels, scored))
        found[name] = np.array(list(scores.values()))
    return found


def p_t_test(differences):
    return round(float(ttest_rel(differences, np.zeros_like(differences)).pvalue), 5) if differences.any() else 1.0


def p_randomisation(differences):
    """Two-sided paired randomisation test (Smucker, Allan and Carterette, CIKM 2007), seeded."""
    rng = np.random.default_rng(common.SEED)
    observed, reached = abs(differences.mean()), 0
    for _ in range(NUM_PERMUTATIONS // 500):
        signs = rng.choice([-1.0, 1.0], size=(500, len(differences)))
        reached += int((np.abs(signs @ differences) / len(differences) >= observed - 1e-12).sum())
    return round((reached + 1) / (NUM_PERMUTATIONS + 1), 5)


def table(figures):
    """Markdown; a star where the difference to the hybrid run has p < .05 in both tests."""
    lines = [
        "| collection | bi-encoder | plan | nDCG@10 | RR@10 | R@100 | against hybrid (nDCG@10) | p (t-test, "
        "randomisation) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in figures:
        against = row.get("against_hybrid")
        difference = significance = ""
        if against:
            star = "*" if max(against["p_t_test"], against["p_randomisation"]) < 0.05 else ""
            difference, significance = (
                f"{against['nDCG@10']:+.4f}{star}",
                f"{against['p_t_test']:.4f}, {against['p_randomisation']:.4f}",
            )
        lines.append(
            f"| {row['collection']} | {row['bi_encoder']} | {row['plan']} | {row['nDCG@10']:.4f} | "
            f"{row['RR@10']:.4f} | {row['R@100']:.4f} "
            f"| {difference} | {significance} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
