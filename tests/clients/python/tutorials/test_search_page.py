"""The search page, asked as a browser would."""

import re

import pytest
from search_page import Search, create_app

DOCUMENTS = [
    {"name": "Working from home", "summary": "Rules for work away from the office", "content": "You may work from home two days a week.\nAsk first.", "category": "teams", "updated_at": "2022-03-01"},
    {"name": "Office hours", "summary": "When the office is open", "content": "The office opens at eight.", "category": "teams", "updated_at": "2023-01-10"},
    {"name": "Travel policy", "summary": "How work trips are paid", "content": "Book trains early; keep receipts for work.", "category": "sharepoint", "updated_at": "2023-06-15"},
    {"name": "Holidays", "summary": "Days without work", "content": "Thirty days a year.", "category": "sharepoint", "updated_at": "2023-07-01"},
    {"name": "Code review", "summary": "How we review work", "content": "Two people read every change.", "category": "github", "updated_at": "2022-11-11"},
    {"name": "Security", "summary": "Locks and passwords", "content": "Never share a password.", "category": "github", "updated_at": "2022-12-24"},
]


@pytest.fixture(scope="module")
def page():
    search = Search()
    search.create_index()
    assert not search.insert_documents(DOCUMENTS)["errors"]
    yield create_app(search).test_client()
    search.es.indices.delete(index=search.index)


def found(page, **form):
    answer = page.post("/", data=form)
    assert answer.status_code == 200
    text = answer.get_data(as_text=True)
    names = re.findall(r'<li><a href="/document/[^"]+">([^<]+)</a>', text)
    facets = dict(re.findall(r"<li>(\w+): (\d+)</li>", text))
    return names, int(re.search(r"(\d+) found", text).group(1)), facets, text


def test_search_with_facets(page):
    names, total, facets, _ = found(page, query="work")
    assert total == 4 and len(names) == 3
    assert facets == {"teams": "1", "sharepoint": "2", "github": "1", "2022": "2", "2023": "2"}


def test_pages_do_not_overlap_and_end(page):
    first, total, _, _ = found(page, query="", from_=0)
    second, _, _, _ = found(page, query="", from_=3)
    assert total == 6 and len(set(first + second)) == 6


def test_filters_in_the_search_box(page):
    names, total, facets, _ = found(page, query="work category:sharepoint")
    assert total == 2 and set(names) == {"Travel policy", "Holidays"}
    names, total, facets, _ = found(page, query="year:2022 work")
    assert set(names) == {"Working from home", "Code review"}


def test_a_documents_own_page(page):
    _, _, _, text = found(page, query="home")
    answer = page.get(re.search(r'href="(/document/[^"]+)"', text).group(1))
    assert "<h1>Working from home</h1><p>You may work from home two days a week.</p><p>Ask first.</p>" in answer.get_data(as_text=True)
