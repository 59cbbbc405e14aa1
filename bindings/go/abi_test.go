// SPDX-License-Identifier: MIT

package sysgenid

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// The environment has what tests/bindings/abi.c prints of the header.
func TestABIIsThatOfTheHeader(t *testing.T) {
	var get getArgs
	var rec record
	ours := map[string]uintptr{
		"magic": pageMagic, "first_page_size": firstPageSize, "no_id": noIDOffset, "instance": getInstance,
		"track": ioctlTrack, "get": ioctlGet, "confirm": ioctlConfirm,
		"get_args": unsafe.Sizeof(get), "get.generation": unsafe.Offsetof(get.generation),
		"get.flags": unsafe.Offsetof(get.flags), "get.confirmed": unsafe.Offsetof(get.confirmed),
		"get.watchers": unsafe.Offsetof(get.watchers), "get.outdated": unsafe.Offsetof(get.outdated),
		"get.instance_id": unsafe.Offsetof(get.instanceID), "confirm_args": unsafe.Sizeof(confirmArgs{}),
		"record": unsafe.Sizeof(rec), "record.hw_offset": unsafe.Offsetof(rec.hwOffset), "record.size": unsafe.Offsetof(rec.size),
	}
	seen := 0
	for lines := bufio.NewScanner(strings.NewReader(os.Getenv("ABI"))); lines.Scan(); seen++ {
		var name string
		var value uintptr
		if _, err := fmt.Sscan(lines.Text(), &name, &value); err != nil {
			t.Fatal(err)
		}
		if mine, known := ours[name]; !known || mine != value {
			t.Errorf("%s is %d in the header, %d here", name, value, mine)
		}
	}
	if seen != len(ours) {
		t.Errorf("the header has %d of %d values", seen, len(ours))
	}
}
