// SPDX-License-Identifier: MIT
'use strict'

const assert = require('assert')
const fs = require('fs')
const os = require('os')
const path = require('path')
const test = require('node:test')
const { Handle } = require(process.env.SYSGENID_INSTALLED || '.')

/* A file in place of the attribute. */
function played (t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sysgenid-node-'))
  const file = path.join(folder, 'generation')
  const set = (text) => fs.writeFileSync(file, text)
  set('5\n')
  const handle = new Handle(file)
  t.after(() => {
    handle.close()
    fs.rmSync(folder, { recursive: true })
  })
  return { handle, set, file }
}

test('a resume changes the generation', (t) => {
  const { handle, set } = played(t)
  assert.strictEqual(handle.read(), 5)
  assert.strictEqual(handle.changed(5), false)
  set('4294967295\n')
  assert.strictEqual(handle.changed(5), true)
  assert.strictEqual(handle.read(), 4294967295)
})

test('wait resolves at a resume', async (t) => {
  const { handle, set } = played(t)
  setTimeout(() => set('6\n'), 30)
  assert.strictEqual(await handle.wait(5, { interval: 10 }), 6)
})

test('wait ends with its signal', async (t) => {
  const { handle } = played(t)
  await assert.rejects(handle.wait(5, { signal: AbortSignal.timeout(30) }), { name: /AbortError|TimeoutError/ })
})

test('watch tells each generation once, and stops', async (t) => {
  const { handle, set } = played(t)
  const told = []
  const stop = handle.watch((generation) => told.push(generation), { interval: 5 })
  for (const text of ['6\n', '7\n']) {
    set(text)
    for (let i = 0; i < 400 && told.at(-1) !== Number(text); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  stop()
  set('8\n')
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.deepStrictEqual(told, [6, 7])
})

test('what is no generation is an error', (t) => {
  const { handle, set, file } = played(t)
  for (const text of ['', '\n', '5', '-1\n', '5\n6\n', 'x\n', '12345678901\n']) {
    set(text)
    assert.throws(() => handle.read(), /is no generation/, JSON.stringify(text))
    assert.throws(() => new Handle(file), /is no generation/)
  }
})

test('no module is ENOENT', () => {
  assert.throws(() => new Handle('/nonexistent/generation'), { code: 'ENOENT' })
})

test('a closed handle is an error', (t) => {
  const { handle } = played(t)
  handle.close()
  assert.throws(() => handle.read(), /closed/)
})
