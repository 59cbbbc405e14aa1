// SPDX-License-Identifier: MIT

// Answers each line of input with an id that no clone of this machine draws.
//
// The generator of math/rand is in memory: clones of a snapshot draw the same numbers until the program seeds anew.
package main

import (
	"bufio"
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"log"
	"math/rand"
	"os"

	"sysgenid"
)

type ids struct {
	handle    *sysgenid.Handle
	seen      uint32
	generator *rand.Rand
}

func (i *ids) renew() error {
	var err error
	if i.seen, err = i.handle.Read(); err != nil {
		return err
	}
	// After the read: a resume between the two is then seen.
	var seed [8]byte
	if _, err = crand.Read(seed[:]); err != nil {
		return err
	}
	i.generator = rand.New(rand.NewSource(int64(binary.LittleEndian.Uint64(seed[:]))))
	return nil
}

func (i *ids) draw() (uint64, error) {
	for {
		id := i.generator.Uint64()
		if !i.handle.Changed(i.seen) {
			return id, nil
		}
		if err := i.renew(); err != nil {
			return 0, err
		}
	}
}

func run() error {
	open := sysgenid.Open
	if len(os.Args) > 1 && os.Args[1] == "--soft" {
		open = sysgenid.OpenSoft
	}
	handle, err := open()
	if err != nil {
		return err
	}
	i := ids{handle: handle}
	if err = i.renew(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		id, err := i.draw()
		if err != nil {
			return err
		}
		fmt.Printf("%016x\n", id)
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
