// The books of the Python tests, fewer of them, and clients of both versions.
import { Client as Client8 } from 'elasticsearch-8'
import { Client as Client9 } from 'elasticsearch-9'

export const url = process.env.BIFOCAL_URL ?? 'http://127.0.0.1:9200'

export const clients = [
  ['8', new Client8({ node: url })],
  ['9', new Client9({ node: url })]
]

export const mappings = {
  properties: {
    title: { type: 'text', fields: { raw: { type: 'keyword' }, typed: { type: 'search_as_you_type' } } },
    summary: { type: 'text', analyzer: 'english', copy_to: 'meaning' },
    meaning: { type: 'semantic_text' },
    genre: { type: 'keyword' },
    tags: { type: 'keyword' },
    pages: { type: 'integer' },
    published: { type: 'date' },
    popularity: { type: 'rank_feature' },
    vector: { type: 'dense_vector', dims: 3, similarity: 'cosine', index_options: { type: 'hnsw' } },
    reviews: { type: 'nested', properties: { reader: { type: 'keyword' }, stars: { type: 'integer' } } }
  }
}

const book = (title, summary, genre, tags, pages, published, popularity, vector, reviews = []) =>
  ({ title, summary, genre, tags, pages, published, popularity, vector, reviews: reviews.map(([reader, stars]) => ({ reader, stars })) })

export const books = {
  1: book('The Whale Hunters', 'Sailors chase a white whale across the seas.', 'novel', ['sea', 'classic'], 600, '1951-10-18', 90, [1, 0, 0], [['anna', 5], ['bob', 2]]),
  2: book('The Lighthouse Keeper', 'An old keeper guards the coast from storms.', 'novel', ['sea'], 200, '1960-05-01', 40, [0.9, 0.1, 0], [['carl', 4]]),
  3: book('Bread for Beginners', 'How to bake a loaf: flour, water, salt and an oven.', 'guide', ['food'], 120, '1985-02-10', 70, [0, 1, 0]),
  4: book('The Storm', 'A storm at sea, and what came of it.', 'poetry', ['sea', 'weather'], 80, '1987-07-20', 10, [0.8, 0, 0.6]),
  5: book('Storm Warning', 'The science of storms, told by the people who chase them.', 'essay', ['weather'], 310, '2015-11-30', 80, [0.7, 0.1, 0.7], [['bob', 5]])
}

export const ids = response => response.hits.hits.map(hit => hit._id)

export async function fill (client, index) {
  await client.indices.delete({ index, ignore_unavailable: true })
  await client.indices.create({ index, mappings, settings: { number_of_replicas: 0 } })
  const operations = Object.entries(books).flatMap(([id, document]) => [{ index: { _id: id } }, document])
  const answer = await client.bulk({ index, operations, refresh: true })
  if (answer.errors) throw new Error(JSON.stringify(answer.items))
}
