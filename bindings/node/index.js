// SPDX-License-Identifier: MIT
'use strict'

/*
 * Node.js can neither map a device nor call ioctl(2), and a read(2) that sleeps would keep a thread of its pool. So this
 * reads an attribute of sysfs: the kernel compares the hardware id at each read.
 */
const fs = require('fs')
const { setTimeout: sleep } = require('timers/promises')

const ATTRIBUTE = '/sys/class/misc/sysgenid/generation'
const INTERVAL = 100

class Handle {
  #fd
  #bytes = Buffer.alloc(16)

  constructor (path = ATTRIBUTE) {
    this.#fd = fs.openSync(path, 'r')
    try {
      this.read()
    } catch (error) {
      this.close()
      throw error
    }
  }

  read () {
    if (this.#fd === undefined) throw new Error('sysgenid: the handle is closed')
    const length = fs.readSync(this.#fd, this.#bytes, 0, this.#bytes.length, 0)
    const text = this.#bytes.toString('latin1', 0, length)
    if (!/^\d{1,10}\n$/.test(text)) throw new Error(`sysgenid: "${text.trim()}" is no generation`)
    return Number(text)
  }

  changed (seen) {
    return this.read() !== seen
  }

  async wait (seen, { signal, interval = INTERVAL } = {}) {
    for (;;) {
      signal?.throwIfAborted()
      const now = this.read()
      if (now !== seen) return now
      await sleep(interval, undefined, { signal })
    }
  }

  watch (listener, { interval = INTERVAL } = {}) {
    let seen = this.read()
    const timer = setInterval(() => {
      const now = this.read()
      if (now === seen) return
      seen = now
      listener(now)
    }, interval)
    // A program that has nothing else to do may end.
    timer.unref()
    return () => clearInterval(timer)
  }

  close () {
    if (this.#fd === undefined) return
    fs.closeSync(this.#fd)
    this.#fd = undefined
  }
}

module.exports = { Handle }
