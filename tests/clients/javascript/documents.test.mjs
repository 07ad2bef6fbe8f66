// Documents, the client's helpers, indices and errors.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clients, fill, ids } from './library.mjs'

for (const [version, client] of clients) {
  const scratch = `js-scratch-${version}`
  const clean = () => client.indices.delete({ index: `${scratch}*`, expand_wildcards: 'all' }).catch(() => {})

  describe(`client ${version}`, () => {
    test('info', async () => {
      const info = await client.info()
      assert.equal(info.tagline, 'You Know, for Search')
    })

    test('create, read, update, delete', async () => {
      await client.indices.delete({ index: scratch, ignore_unavailable: true })
      const made = await client.index({ index: scratch, id: '1', document: { a: 1 } })
      assert.equal(made.result, 'created')
      assert.deepEqual((await client.get({ index: scratch, id: '1' }))._source, { a: 1 })
      assert.equal((await client.update({ index: scratch, id: '1', doc: { b: 2 } })).result, 'updated')
      assert.deepEqual(await client.getSource({ index: scratch, id: '1' }), { a: 1, b: 2 })
      assert.equal(await client.exists({ index: scratch, id: '1' }), true)
      await assert.rejects(
        client.index({ index: scratch, id: '1', document: {}, if_seq_no: made._seq_no, if_primary_term: 1 }),
        error => error.statusCode === 409 && error.meta.body.error.type === 'version_conflict_engine_exception'
      )
      assert.equal((await client.delete({ index: scratch, id: '1' })).result, 'deleted')
      await assert.rejects(client.get({ index: scratch, id: '1' }), error => error.statusCode === 404)
      await client.indices.delete({ index: scratch })
    })

    test('bulk helper, scroll helper and search helper', async () => {
      const index = `${scratch}-bulk`
      await client.indices.delete({ index, ignore_unavailable: true })
      const datasource = Array.from({ length: 1200 }, (_, n) => ({ n, text: `number ${n}` }))
      const result = await client.helpers.bulk({ datasource, onDocument: doc => ({ index: { _index: index, _id: String(doc.n) } }), flushBytes: 20000, refreshOnCompletion: true })
      assert.equal(result.successful, 1200)
      let seen = 0
      for await (const page of client.helpers.scrollSearch({ index, size: 500, query: { match_all: {} } })) seen += page.documents.length
      assert.equal(seen, 1200)
      const documents = await client.helpers.search({ index, query: { term: { n: 7 } } })
      assert.deepEqual(documents, [{ _id: '7', n: 7, text: 'number 7' }])
      await client.indices.delete({ index })
    })

    test('point in time', async () => {
      const index = `${scratch}-pit`
      await fill(client, index)
      const { id } = await client.openPointInTime({ index, keep_alive: '1m' })
      const first = await client.search({ pit: { id, keep_alive: '1m' }, size: 3, sort: [{ pages: 'asc' }] })
      const second = await client.search({ pit: { id: first.pit_id }, size: 3, sort: [{ pages: 'asc' }], search_after: first.hits.hits.at(-1).sort })
      assert.deepEqual([...ids(first), ...ids(second)], ['4', '3', '2', '5', '1'])
      assert.equal((await client.closePointInTime({ id: first.pit_id })).succeeded, true)
      await client.indices.delete({ index })
    })

    test('highlight, source, sort and pages', async () => {
      const index = `${scratch}-shape`
      await fill(client, index)
      const response = await client.search({ index, query: { match: { summary: 'storm' } }, highlight: { fields: { summary: {} } }, _source: ['title'], sort: [{ pages: 'desc' }], from: 1, size: 1 })
      const [hit] = response.hits.hits
      assert.equal(hit._id, '2')
      assert.deepEqual(hit._source, { title: 'The Lighthouse Keeper' })
      assert.match(hit.highlight.summary[0], /<em>storms<\/em>/)
      const { responses } = await client.msearch({ searches: [{ index }, { query: { match_all: {} }, size: 0 }, { index: 'missing' }, { query: { match_all: {} } }] })
      assert.deepEqual(responses.map(response => response.status), [200, 404])
      assert.equal((await client.count({ index })).count, 5)
      await client.indices.delete({ index })
    })

    test('aliases and mappings', async () => {
      const index = `${scratch}-alias`
      await fill(client, index)
      await client.indices.updateAliases({ actions: [{ add: { index, alias: `${index}-sea`, filter: { term: { tags: 'sea' } } } }] })
      assert.equal((await client.count({ index: `${index}-sea` })).count, 3)
      const mapping = await client.indices.getMapping({ index })
      assert.equal(mapping[index].mappings.properties.genre.type, 'keyword')
      await client.indices.putMapping({ index, properties: { added: { type: 'long' } } })
      assert.deepEqual((await client.indices.analyze({ index, analyzer: 'english', text: 'Running storms' })).tokens.map(t => t.token), ['run', 'storm'])
      const [row] = await client.cat.indices({ index, format: 'json' })
      // Four of them are nested objects, which Elasticsearch counts here, too.
      assert.equal(row['docs.count'], '9')
      await client.indices.delete({ index })
    })

    test('errors carry types and reasons', async () => {
      await assert.rejects(client.search({ index: 'missing', query: { match_all: {} } }), error => error.meta.body.error.type === 'index_not_found_exception')
      const index = `${scratch}-errors`
      await fill(client, index)
      await assert.rejects(client.search({ index, query: { nonsense: {} } }), error => error.statusCode === 400 && /nonsense/.test(error.message))
      await client.indices.delete({ index })
      await clean()
    })
  })
}
