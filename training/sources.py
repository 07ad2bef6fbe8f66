"""The sources of the training pairs: licence, where each is to be had in public, how many of its pairs are used.

A source that is not listed here is not used. `cap`: pairs at most, drawn at random; `all` means no cap. `kind`:
`asked` are questions that people asked, `annotated` were written by people who saw the passage, `generated` by a
language model that saw it, `weak` are headings, titles and summaries that stand in for queries. `unseen`: not trained
on at all; what such sources say shows how the models do on material of another kind, and the weight of the re-ranker
is chosen on it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    name: str
    kind: str
    cap: int | None
    licence: str
    where: str
    unseen: bool


# name | kind | cap | licence | where it is to be had | unseen
TABLE = """
qed_nq | asked | all | CC BY-SA 3.0 | github.com/google-research-datasets/QED (Natural Questions)
nq_open_oracle | asked | all | CC BY-SA 3.0 | github.com/nelson-liu/lost-in-the-middle (Natural Questions)
clapnq_dev | asked | all | CC BY-SA 3.0 | github.com/primeqa/clapnq (Natural Questions; annotations Apache-2.0)
doc2dial_first_turns | asked | all | CC BY 3.0 | github.com/doc2dial/sharedtask-dialdoc2021
covid_faq | asked | all | Apache-2.0 | github.com/deepset-ai/COVID-QA, data/faqs (texts of public health agencies)
squad_train | annotated | 6000 | CC BY-SA 4.0 | github.com/rajpurkar/SQuAD-explorer
selqa | annotated | 1500 | Apache-2.0 | github.com/emorynlp/selqa
multihop_samples | annotated | all | CC BY-SA 4.0, CC BY 4.0 | github.com/OSU-NLP-Group/HippoRAG (HotpotQA, MuSiQue)
covid_qa | annotated | all | Apache-2.0 | github.com/deepset-ai/COVID-QA (CORD-19 papers)
react_questions | annotated | all | MIT | github.com/sudheerj/reactjs-interview-questions | unseen
conala | annotated | 500 | CC BY-SA 4.0 | conala-corpus.github.io (Stack Overflow)
medquad | annotated | 1500 | CC BY 4.0 | github.com/abachaa/MedQuAD
pubmedqa | annotated | all | MIT | github.com/pubmedqa/pubmedqa, PQA-L | unseen
vespa_docs_train | generated | all | Apache-2.0 | github.com/vespa-engine/documentation, pages outside the tests
docs_sections | weak | 4000 | each package's own free licence | Debian 12, -doc packages
tldr_pages | weak | 1000 | CC BY 4.0 | github.com/tldr-pages/tldr
debian_packages | weak | 1200 | as each package | Debian 12, package descriptions
foldoc | weak | 600 | GFDL 1.1 or later | Debian 12, dict-foldoc
debian_docs | weak | 3000 | each package's own free licence | Debian 12, documentation packages (figures/collected.json)
"""


def parsed(line):
    name, kind, cap, licence, where, *unseen = line.split(" | ")
    return Source(name, kind, None if cap == "all" else int(cap), licence, where, bool(unseen))


SOURCES = [parsed(line) for line in TABLE.strip().splitlines()]

# Left out because nobody states a licence for them.
NO_LICENCE = ["javascript_questions", "mediqa2019", "medication_qa"]
