// SPDX-License-Identifier: MIT
'use strict'

/*
 * Answers each line of input with a UUID that no clone of this machine draws. crypto.randomUUID keeps a batch in memory,
 * and OpenSSL's generator is in memory, too; the kernel's is reseeded at a resume.
 */
const fs = require('fs')
const { Handle } = require('..')

const handle = new Handle(process.argv[2])

function unique (draw) {
  for (;;) {
    const seen = handle.read()
    const value = draw()
    if (!handle.changed(seen)) return value
  }
}

const uuid = () => fs.readFileSync('/proc/sys/kernel/random/uuid', 'utf8').trim()

require('readline').createInterface({ input: process.stdin }).on('line', () => console.log(unique(uuid)))
