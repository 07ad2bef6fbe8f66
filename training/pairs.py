"""Pairs of query and passage -> what is trained on, what is held out, and the pool of passages.

In: folders with *.jsonl(.gz), a pair a line: `query`, `positive`, `source`. Out, in the work folder:

* `passages.jsonl`: `_id`, `text`; every positive once, the pool that negatives come from;
* `train.jsonl`, `held_out.jsonl`, `unseen.jsonl`: `_id`, `text` (the query), `positive` (a passage's id), `also`
  (other passages known to answer it), `source`. Held out are some pairs of every source, unseen are all pairs of a few
  sources. No passage is the positive of two of the three;
* `leaks.json`: what was dropped because it stands in a test collection, by source and collection;
* `pairs.json`: counts by source.

Usage: pairs.py PAIRS [PAIRS ...] [--work DIR] [--collections DIR] [--leave-out SOURCE ...]
"""

import argparse
import random
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import common
from questions import question
from sources import NO_LICENCE, SOURCES

SHINGLE_WORDS = 8
# A text leaks when this share of its shingles stands in one test collection.
LEAK_SHARE = 0.1
# A heading that stands over more passages than this (such as "Examples") asks for nothing in particular.
MAX_PASSAGES_OF_A_QUERY = 2
MIN_PASSAGE_WORDS, MAX_PASSAGE_CHARACTERS = 8, 4000
# Sources whose queries are headings; of those that can be questions this share becomes questions.
HEADINGS, ASKED_SHARE = {"docs_sections", "debian_docs"}, 0.7


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("pairs", nargs="+", type=Path, help="folders with *.jsonl or *.jsonl.gz")
    arguments.add_argument("--work", type=Path, default=common.WORK)
    arguments.add_argument(
        "--collections", type=Path, help="a folder of test collections in BEIR layout: nothing of them may get in"
    )
    arguments.add_argument("--leave-out", nargs="*", default=[], metavar="SOURCE")
    arguments.add_argument("--held-out", type=int, default=1000, metavar="PAIRS")
    arguments.add_argument("--limit", type=int, help="pairs a source at most; for trying things out")
    options = arguments.parse_args()
    outputs = [
        options.work / name
        for name in ("passages.jsonl", "train.jsonl", "held_out.jsonl", "unseen.jsonl", "pairs.json")
    ]
    if common.done(*outputs):
        return
    common.FIGURES.mkdir(exist_ok=True)
    rng = random.Random(common.SEED)
    by_source, unused = read_pairs(options.pairs, set(options.leave_out))
    check = LeakCheck(options.collections)
    pairs, counts = [], {}
    for source in SOURCES:
        found = by_source.get(source.name, [])
        kept = clean(found, source)
        rng.shuffle(kept)
        chosen = draw(kept, min(source.cap or len(kept), options.limit or len(kept)), check)
        if source.name in HEADINGS:
            ask(chosen, rng)
        counts[source.name] = {"found": len(found), "usable": len(kept), "used": len(chosen)}
        pairs += chosen
    pairs = without_repeated_queries(pairs)
    for source in SOURCES:
        counts[source.name]["used"] = sum(pair["source"] == source.name for pair in pairs)
    passages, rows = pool(pairs, rng)
    unseen, held_out, train = split(rows, options.held_out, rng)
    common.write_json(options.work / "leaks.json", check.report())
    common.write_jsonl(outputs[0], passages)
    common.write_jsonl(outputs[1], train)
    common.write_jsonl(outputs[2], held_out)
    common.write_jsonl(outputs[3], unseen)
    summary = {
        "train": len(train),
        "held_out": len(held_out),
        "unseen": len(unseen),
        "passages": len(passages),
        "sources": counts,
        "not_used": unused,
    }
    common.write_json(outputs[4], summary)
    if options.limit is None:
        for name in ("pairs.json", "leaks.json"):
            shutil.copy(options.work / name, common.FIGURES / name)
    for name, count in counts.items():
        print(f"{name:22} {count['found']:7} pairs {count['used']:6} used")
    print(
        f"{len(train)} to train on, {len(held_out)} held out, {len(unseen)} unseen, {len(passages)} passages; left "
        f"out: {unused}"
    )
    check.print_report()


def read_pairs(folders, leave_out):
    """The pairs by source, and the sources that are not used with the reason."""
    known = {source.name for source in SOURCES}
    by_source, unused = defaultdict(list), {}
    for path in sorted(
        path for folder in folders for pattern in ("*.jsonl", "*.jsonl.gz") for path in folder.glob(pattern)
    ):
        for pair in common.read_jsonl(path):
            name = pair["source"]
            if name in known and name not in leave_out:
                by_source[name].append({"query": pair["query"], "positive": pair["positive"], "source": name})
            else:
                unused[name] = (
                    "no stated licence" if name in NO_LICENCE else "left out" if name in known else "not in sources.py"
                )
    return by_source, unused


def clean(pairs, source):
    """Tidy text; passages long enough to say something; of weak sources only queries that mean few passages."""
    kept, passages_of = [], defaultdict(set)
    for pair in pairs:
        query, positive = " ".join(pair["query"].split()), " ".join(pair["positive"].split())[:MAX_PASSAGE_CHARACTERS]
        key = common.normalised(query)
        long_enough = source.name == "conala" or len(positive.split()) >= MIN_PASSAGE_WORDS
        if key and long_enough:
            kept.append({**pair, "query": query, "positive": positive})
            passages_of[key].add(common.normalised(positive))
    if source.kind != "weak":
        return kept
    return [pair for pair in kept if len(passages_of[common.normalised(pair["query"])]) <= MAX_PASSAGES_OF_A_QUERY]


def draw(pairs, number, check):
    """The first `number` pairs that leak from no collection, one query a passage before a passage comes again."""
    seen, first, again = set(), [], []
    for pair in pairs:
        key = common.normalised(pair["positive"])
        (again if key in seen else first).append(pair)
        seen.add(key)
    chosen = []
    for pair in first + again:
        if len(chosen) == number:
            break
        if not check.leaks(pair):
            chosen.append(pair)
    return chosen


def ask(pairs, rng):
    """Turns most of the headings that can be questions into questions, in place."""
    for number, pair in enumerate(pairs):
        asked = question(pair["query"], number)
        if asked and rng.random() < ASKED_SHARE:
            pair["query"] = asked


def without_repeated_queries(pairs):
    """One pair a query; the passages of the others are remembered as `also`."""
    first = {}
    for pair in pairs:
        kept = first.setdefault(common.normalised(pair["query"]), {**pair, "also": []})
        if kept["positive"] != pair["positive"]:
            kept["also"].append(pair["positive"])
    return list(first.values())


def pool(pairs, rng):
    """The passages, each once, and the pairs with passages' ids in place of texts, shuffled."""
    id_of, passages = {}, []

    def id_for(text):
        key = common.normalised(text) or text
        if key not in id_of:
            id_of[key] = f"p{len(id_of):06}"
            passages.append({"_id": id_of[key], "text": text})
        return id_of[key]

    rng.shuffle(pairs)
    rows = []
    for number, pair in enumerate(pairs):
        positive, also = id_for(pair["positive"]), sorted({id_for(text) for text in pair["also"]})
        rows.append(
            {
                "_id": f"q{number:06}",
                "text": pair["query"],
                "positive": positive,
                "also": [other for other in also if other != positive],
                "source": pair["source"],
            }
        )
    return passages, rows


def split(rows, number, rng):
    """The pairs of unseen sources, `number` held-out ones or a few more, and the rest; all pairs of a passage stand
    together."""
    unseen_sources = {source.name for source in SOURCES if source.unseen}
    by_passage = defaultdict(list)
    for row in rows:
        by_passage[row["positive"]].append(row)
    unseen, held_out, train = [], [], []
    order = sorted(by_passage)
    rng.shuffle(order)
    for passage in order:
        own = by_passage[passage]
        if any(row["source"] in unseen_sources for row in own):
            unseen += [row for row in own if row["source"] in unseen_sources]
        else:
            (held_out if len(held_out) < number else train).extend(own)
    rng.shuffle(train)
    return unseen, held_out, train


def shingles(text):
    """Hashes of every run of eight words; of the whole text where it has fewer."""
    tokens = common.words(text)
    runs = range(max(1, len(tokens) - SHINGLE_WORDS + 1))
    return {hash(" ".join(tokens[start : start + SHINGLE_WORDS])) for start in runs} if tokens else set()


class LeakCheck:
    """Whether a pair stands in a test collection: the same query, or many runs of eight words in common.

    The rule: the normalised query is a query of the collection; or at least a tenth of the shingles of the passage, or
    of query and passage together, stand in the collection's documents and queries.
    """

    def __init__(self, folder):
        self.queries, self.shingles, self.dropped, self.checked = {}, {}, defaultdict(Counter), Counter()
        # The largest share of shingles that a pair has in common with a collection and is kept.
        self.largest_kept, self.finds_itself = Counter(), {}
        for collection in sorted(folder.iterdir()) if folder else []:
            if (collection / "corpus.jsonl").exists():
                queries = [row["text"] for row in common.read_jsonl(collection / "queries.jsonl")]
                texts = [
                    f"{row.get('title') or ''} {row['text']}" for row in common.read_jsonl(collection / "corpus.jsonl")
                ]
                self.queries[collection.name] = {common.normalised(query) for query in queries}
                self.shingles[collection.name] = set().union(*map(shingles, queries + texts))
                # A check that finds nothing proves something only if it would have found what is there.
                planted = [
                    {"query": query, "positive": "none of these words", "source": "planted"} for query in queries[:100]
                ]
                planted += [{"query": "none of these", "positive": text, "source": "planted"} for text in texts[:100]]
                self.finds_itself[collection.name] = f"{sum(map(self.leaks, planted))} of {len(planted)}"
        self.dropped.clear()
        self.checked.clear()
        self.largest_kept.clear()

    def leaks(self, pair):
        """Checks a pair and counts it."""
        self.checked[pair["source"]] += 1
        query = common.normalised(pair["query"])
        parts = [part for part in (shingles(pair["positive"]), shingles(f"{pair['query']} {pair['positive']}")) if part]
        shares = {name: max(len(part & known) / len(part) for part in parts) for name, known in self.shingles.items()}
        for name, share in shares.items():
            reason = "query" if query in self.queries[name] else "text" if share >= LEAK_SHARE else None
            if reason:
                self.dropped[pair["source"]][f"{name}: {reason}"] += 1
                return True
        for name, share in shares.items():
            self.largest_kept[name] = max(self.largest_kept[name], round(share, 4))
        return False

    def report(self):
        """As `leaks.json` has it."""
        return {
            "rule": "the same normalised query, or a share of "
            f"{LEAK_SHARE:.0%} of its {SHINGLE_WORDS}-word shingles (passage, or query and passage) in common",
            "shingles_of_collections": {name: len(known) for name, known in self.shingles.items()},
            "planted_documents_and_queries_found": self.finds_itself,
            "largest_share_that_was_kept": dict(self.largest_kept),
            "pairs_checked": dict(self.checked),
            "pairs_dropped": {source: dict(counts) for source, counts in sorted(self.dropped.items())},
        }

    def print_report(self):
        if not self.shingles:
            print("leak check: no collections given, nothing checked")
        for source, counts in sorted(self.dropped.items()):
            print(f"leak check: {source}: of {self.checked[source]} dropped {dict(counts)}")
        print(f"leak check: {sum(self.checked.values())} pairs against {', '.join(self.shingles) or 'nothing'}")


if __name__ == "__main__":
    main()
