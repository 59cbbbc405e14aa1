// SPDX-License-Identifier: MIT

// Says when this machine has resumed as a clone.
package main

import (
	"context"
	"fmt"
	"log"

	"sysgenid"
)

func main() {
	handle, err := sysgenid.Open()
	if err != nil {
		log.Fatal(err)
	}
	seen, err := handle.Read()
	if err != nil {
		log.Fatal(err)
	}
	// A program checks like this after each use of what may not be used twice.
	tell := func() {
		state := "current"
		if handle.Changed(seen) {
			state = "changed"
		}
		fmt.Printf("generation %d, %s\n", seen, state)
	}
	for {
		tell()
		now, err := handle.Wait(context.Background(), seen)
		if err != nil {
			log.Fatal(err)
		}
		tell()
		seen = now
	}
}
