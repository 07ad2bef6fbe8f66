"""The sources of the training pairs: licence, where each is to be had in public, how many of its pairs are used.

A source that is not listed here is not used. `cap`: pairs at most, drawn at random; None means all. `kind`:
`asked` are questions that people asked, `annotated` were written by people who saw the passage, `generated` by a language
model that saw it, `weak` are headings, titles and summaries that stand in for queries. `unseen`: not trained on at all; what
such sources say shows how the models do on material of another kind, and the weight of the re-ranker is chosen on it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    name: str
    kind: str
    cap: int | None
    licence: str
    where: str
    unseen: bool = False


SOURCES = [
    Source("qed_nq", "asked", None, "CC BY-SA 3.0", "github.com/google-research-datasets/QED (Natural Questions)"),
    Source("nq_open_oracle", "asked", None, "CC BY-SA 3.0", "github.com/nelson-liu/lost-in-the-middle (Natural Questions)"),
    Source("clapnq_dev", "asked", None, "CC BY-SA 3.0", "github.com/primeqa/clapnq (Natural Questions; annotations Apache-2.0)"),
    Source("doc2dial_first_turns", "asked", None, "CC BY 3.0", "github.com/doc2dial/sharedtask-dialdoc2021 (licence by doc2dial.github.io)"),
    Source("covid_faq", "asked", None, "Apache-2.0", "github.com/deepset-ai/COVID-QA, data/faqs (texts of public health agencies)"),
    Source("squad_train", "annotated", 6000, "CC BY-SA 4.0", "github.com/rajpurkar/SQuAD-explorer"),
    Source("selqa", "annotated", 1500, "Apache-2.0", "github.com/emorynlp/selqa"),
    Source("multihop_samples", "annotated", None, "CC BY-SA 4.0, CC BY 4.0", "github.com/OSU-NLP-Group/HippoRAG (HotpotQA, MuSiQue)"),
    Source("covid_qa", "annotated", None, "Apache-2.0", "github.com/deepset-ai/COVID-QA (CORD-19 papers)"),
    Source("react_questions", "annotated", None, "MIT", "github.com/sudheerj/reactjs-interview-questions", unseen=True),
    Source("conala", "annotated", 500, "CC BY-SA 4.0", "conala-corpus.github.io (Stack Overflow)"),
    Source("medquad", "annotated", 1500, "CC BY 4.0", "github.com/abachaa/MedQuAD"),
    Source("pubmedqa", "annotated", None, "MIT", "github.com/pubmedqa/pubmedqa, PQA-L", unseen=True),
    Source("vespa_docs_train", "generated", None, "Apache-2.0", "github.com/vespa-engine/documentation, pages outside the test collection"),
    Source("docs_sections", "weak", 4000, "each package's own free licence", "Debian 12, -doc packages"),
    Source("tldr_pages", "weak", 1000, "CC BY 4.0", "github.com/tldr-pages/tldr"),
    Source("debian_packages", "weak", 1200, "as each package", "Debian 12, package descriptions"),
    Source("foldoc", "weak", 600, "GFDL 1.1 or later", "Debian 12, dict-foldoc"),
    Source("debian_docs", "weak", 3000, "each package's own free licence", "collect.py (Debian, documentation packages; manifest beside the pairs)"),
]

# Left out because nobody states a licence for them.
NO_LICENCE = ["javascript_questions", "mediqa2019", "medication_qa"]
