// Queries, retrievers and aggregations, each type at least once, with the JavaScript clients 8 and 9.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { clients, fill, ids } from './library.mjs'

// A list is the order of the hits; a Set is hits in any order.
const queries = {
  match_all: [{ match_all: {} }, new Set(['1', '2', '3', '4', '5'])],
  match_none: [{ match_none: {} }, []],
  match: [{ match: { title: 'storm' } }, ['4', '5']],
  match_phrase: [{ match_phrase: { summary: 'storm at sea' } }, ['4']],
  match_phrase_prefix: [{ match_phrase_prefix: { title: 'the li' } }, ['2']],
  match_bool_prefix: [{ match_bool_prefix: { title: { query: 'hunters the wha', operator: 'and' } } }, ['1']],
  multi_match: [{ multi_match: { query: 'storm', fields: ['title^2', 'summary'] } }, new Set(['2', '4', '5'])],
  combined_fields: [{ combined_fields: { query: 'lighthouse keeper', fields: ['title', 'title.typed'], operator: 'and' } }, ['2']],
  query_string: [{ query_string: { query: 'title:(storm OR whale) AND NOT genre:poetry' } }, new Set(['1', '5'])],
  simple_query_string: [{ simple_query_string: { query: 'storm -warning', fields: ['title'], default_operator: 'and' } }, ['4']],
  term: [{ term: { genre: 'novel' } }, new Set(['1', '2'])],
  terms: [{ terms: { tags: ['food', 'classic'] } }, new Set(['1', '3'])],
  range: [{ range: { pages: { gte: 120, lt: 310 } } }, new Set(['2', '3'])],
  prefix: [{ prefix: { 'title.raw': 'The' } }, new Set(['1', '2', '4'])],
  wildcard: [{ wildcard: { 'title.raw': '*Storm*' } }, new Set(['4', '5'])],
  regexp: [{ regexp: { genre: 'e.*|g.*' } }, new Set(['3', '5'])],
  fuzzy: [{ fuzzy: { title: 'strom' } }, new Set(['4', '5'])],
  exists: [{ exists: { field: 'genre' } }, new Set(['1', '2', '3', '4', '5'])],
  ids: [{ ids: { values: ['2', '9'] } }, ['2']],
  bool: [{ bool: { must: { match: { summary: 'storm' } }, must_not: { term: { genre: 'poetry' } }, should: { term: { genre: 'essay' } } } }, ['5', '2']],
  constant_score: [{ constant_score: { filter: { term: { genre: 'guide' } } } }, ['3']],
  dis_max: [{ dis_max: { queries: [{ match: { title: 'storm' } }, { match: { summary: 'oven' } }] } }, new Set(['3', '4', '5'])],
  boosting: [{ boosting: { positive: { match: { title: 'storm' } }, negative: { term: { genre: 'poetry' } }, negative_boost: 0.1 } }, ['5', '4']],
  function_score: [{ function_score: { query: { term: { tags: 'sea' } }, field_value_factor: { field: 'pages' }, boost_mode: 'replace' } }, ['1', '2', '4']],
  rank_feature: [{ rank_feature: { field: 'popularity' } }, ['1', '5', '3', '2', '4']],
  nested: [{ nested: { path: 'reviews', query: { bool: { must: [{ term: { 'reviews.reader': 'bob' } }, { range: { 'reviews.stars': { gt: 3 } } }] } } } }, ['5']],
  more_like_this: [{ more_like_this: { fields: ['summary'], like: 'a white whale', min_term_freq: 1, min_doc_freq: 1 } }, ['1']],
  pinned: [{ pinned: { ids: ['3'], organic: { match: { title: 'storm' } } } }, ['3', '4', '5']],
  knn: [{ knn: { field: 'vector', query_vector: [1, 0, 0], k: 3, num_candidates: 5 } }, ['1', '2', '4']],
  script_score: [{ script_score: { query: { term: { tags: 'sea' } }, script: { source: "cosineSimilarity(params.v, 'vector') + 1.0", params: { v: [0, 0, 1] } } } }, new Set(['1', '2', '4'])]
}

const storm = { standard: { query: { match: { title: 'storm' } } } }
const near = { knn: { field: 'vector', query_vector: [1, 0, 0], k: 3, num_candidates: 5 } }
const retrievers = {
  standard: [storm, ['4', '5']],
  knn: [near, ['1', '2', '4']],
  // 5 and 2 have equal sums; the document of the earlier retriever comes first.
  rrf: [{ rrf: { retrievers: [storm, near], rank_window_size: 10 } }, ['4', '1', '5', '2']],
  linear: [{ linear: { retrievers: [{ retriever: near, weight: 5, normalizer: 'minmax' }, { retriever: storm, weight: 1, normalizer: 'minmax' }], rank_window_size: 10 } }, new Set(['1', '2', '4', '5'])],
  text_similarity_reranker: [{ text_similarity_reranker: { retriever: { standard: { query: { match_all: {} } } }, field: 'summary', inference_text: 'how do I bake bread?', rank_window_size: 10 } }, null],
  pinned: [{ pinned: { ids: ['3'], retriever: storm } }, ['3', '4', '5']]
}

const buckets = result => Object.fromEntries(result.buckets.map(bucket => [bucket.key_as_string ?? bucket.key, bucket.doc_count]))
const aggregations = {
  terms: [{ terms: { field: 'genre' } }, a => assert.deepEqual(buckets(a), { novel: 2, essay: 1, guide: 1, poetry: 1 })],
  multi_terms: [{ multi_terms: { terms: [{ field: 'genre' }, { field: 'tags' }] } }, a => assert.equal(buckets(a)['novel|sea'], 2)],
  histogram: [{ histogram: { field: 'pages', interval: 300 } }, a => assert.deepEqual(buckets(a), { 0: 3, 300: 1, 600: 1 })],
  date_histogram: [{ date_histogram: { field: 'published', calendar_interval: '1y', format: 'yyyy', min_doc_count: 1 } }, a => assert.deepEqual(Object.keys(buckets(a)), ['1951', '1960', '1985', '1987', '2015'])],
  range: [{ range: { field: 'pages', ranges: [{ to: 200 }, { from: 200 }] } }, a => assert.deepEqual(a.buckets.map(b => b.doc_count), [2, 3])],
  date_range: [{ date_range: { field: 'published', format: 'yyyy', ranges: [{ to: '1980' }, { from: '1980' }] } }, a => assert.deepEqual(a.buckets.map(b => b.doc_count), [2, 3])],
  filter: [{ filter: { term: { genre: 'novel' } } }, a => assert.equal(a.doc_count, 2)],
  filters: [{ filters: { filters: { storms: { match: { title: 'storm' } } } } }, a => assert.equal(a.buckets.storms.doc_count, 2)],
  missing: [{ missing: { field: 'genre' } }, a => assert.equal(a.doc_count, 0)],
  nested: [{ nested: { path: 'reviews' }, aggs: { stars: { avg: { field: 'reviews.stars' } } } }, a => assert.deepEqual([a.doc_count, a.stars.value], [4, 4])],
  composite: [{ composite: { size: 2, sources: [{ genre: { terms: { field: 'genre' } } }] } }, a => assert.deepEqual(a.after_key, { genre: 'guide' })],
  top_hits: [{ top_hits: { size: 1, sort: [{ pages: 'desc' }] } }, a => assert.equal(a.hits.hits[0]._id, '1')],
  significant_terms: [{ significant_terms: { field: 'tags', min_doc_count: 1 } }, a => assert.ok(Array.isArray(a.buckets))],
  avg: [{ avg: { field: 'pages' } }, a => assert.equal(a.value, 262)],
  sum: [{ sum: { field: 'pages' } }, a => assert.equal(a.value, 1310)],
  min: [{ min: { field: 'pages' } }, a => assert.equal(a.value, 80)],
  max: [{ max: { field: 'pages' } }, a => assert.equal(a.value, 600)],
  stats: [{ stats: { field: 'pages' } }, a => assert.deepEqual(a, { count: 5, min: 80, max: 600, avg: 262, sum: 1310 })],
  extended_stats: [{ extended_stats: { field: 'pages' } }, a => assert.equal(a.sum_of_squares, 360000 + 40000 + 14400 + 6400 + 96100)],
  cardinality: [{ cardinality: { field: 'genre' } }, a => assert.equal(a.value, 4)],
  percentiles: [{ percentiles: { field: 'pages', percents: [0, 100] } }, a => assert.deepEqual(a.values, { '0.0': 80, '100.0': 600 })],
  value_count: [{ value_count: { field: 'tags' } }, a => assert.equal(a.value, 7)]
}

function check (response, expected) {
  if (Array.isArray(expected)) assert.deepEqual(ids(response), expected)
  else if (expected) assert.deepEqual(new Set(ids(response)), expected)
}

for (const [version, client] of clients) {
  describe(`client ${version}`, () => {
    const index = `js-books-${version}`
    before(() => fill(client, index))

    for (const [name, [query, expected]] of Object.entries(queries)) {
      test(`query ${name}`, async () => check(await client.search({ index, query, size: 20 }), expected))
    }
    for (const [name, [retriever, expected]] of Object.entries(retrievers)) {
      test(`retriever ${name}`, async () => check(await client.search({ index, retriever }), expected))
    }
    for (const [name, [aggregation, verify]] of Object.entries(aggregations)) {
      test(`aggregation ${name}`, async () => {
        const response = await client.search({ index, size: 0, aggs: { a: aggregation } })
        verify(response.aggregations.a)
      })
    }
    test('query semantic', async () => {
      const response = await client.search({ index, query: { semantic: { field: 'meaning', query: 'baking bread at home' } } })
      assert.equal(ids(response)[0], '3')
    })
    test('knn beside a query', async () => {
      const knn = { field: 'vector', query_vector: [0, 1, 0], k: 1, num_candidates: 5 }
      assert.deepEqual(new Set(ids(await client.search({ index, knn, query: { match: { title: 'storm' } } }))), new Set(['3', '4', '5']))
    })
    test('the reranked list begins with the relevant text', async () => {
      const response = await client.search({ index, retriever: retrievers.text_similarity_reranker[0] })
      assert.equal(ids(response)[0], '3')
    })
  })
}
