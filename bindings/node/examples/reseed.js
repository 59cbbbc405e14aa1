// SPDX-License-Identifier: MIT
'use strict'

/*
 * Answers each line of input with an id that no clone of this machine draws. The argument, if any, is a file in place of
 * the attribute.
 *
 * The generator is short, and no cipher. With another one the recipe is the same.
 */
const fs = require('fs')
const { Handle } = require('..')

const handle = new Handle(process.argv[2])
let seen, state

function renew () {
  seen = handle.read()
  // After the read: a resume between the two is then seen.
  const bytes = Buffer.alloc(8)
  const urandom = fs.openSync('/dev/urandom')
  fs.readSync(urandom, bytes)
  fs.closeSync(urandom)
  state = bytes.readBigUInt64LE()
}

function draw () {
  for (;;) {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n)
    if (!handle.changed(seen)) return state
    renew()
  }
}

renew()
const lines = require('readline').createInterface({ input: process.stdin })
lines.on('line', () => console.log(draw().toString(16).padStart(16, '0')))
