// SPDX-License-Identifier: MIT
// Each line of input is a request, each draw a line of the answer.
const crypto = require('crypto')

const pool = Array.from({ length: 16 }, () => crypto.randomBytes(16).toString('hex'))

require('readline').createInterface({ input: process.stdin }).on('line', () => {
  console.log('a pool of ids', pool.pop())
})
