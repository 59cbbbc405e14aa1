// SPDX-License-Identifier: MIT

package sysgenid

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Run within "sysgenidctl simulate"; the environment has the path of the tool.
func clone(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(os.Getenv("SYSGENIDCTL"), "simulate", "--clone").CombinedOutput(); err != nil {
		t.Fatalf("simulate --clone: %v: %s", err, out)
	}
}

func openSoft(t *testing.T) (*Handle, uint32) {
	t.Helper()
	h, err := OpenSoft()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	seen, err := h.Read()
	if err != nil {
		t.Fatal(err)
	}
	return h, seen
}

func TestCloneChangesTheGeneration(t *testing.T) {
	h, seen := openSoft(t)
	if h.Changed(seen) {
		t.Error("changed before the clone")
	}
	clone(t)
	if !h.Changed(seen) {
		t.Error("unchanged after the clone")
	}
	if now, err := h.Read(); now != seen+1 || err != nil {
		t.Errorf("generation %d after %d: %v", now, seen, err)
	}
	if !h.IsSoft() || h.IsExact() {
		t.Error("a page file is soft, and not exact")
	}
}

func TestOtherHardwareIDIsAChange(t *testing.T) {
	h, seen := openSoft(t)
	h.recorded, h.hardware = &[2]uint64{1, 2}, &[2]uint64{1, 3}
	if !h.Changed(seen) || !h.IsExact() {
		t.Error("another id is no change")
	}
	h.hardware = &[2]uint64{1, 2}
	if h.Changed(seen) {
		t.Error("the same id is a change")
	}
}

func TestWaitReturnsAtAClone(t *testing.T) {
	h, seen := openSoft(t)
	got := make(chan uint32)
	go func() {
		now, _ := h.Wait(context.Background(), seen)
		got <- now
	}()
	clone(t)
	select {
	case now := <-got:
		if now != seen+1 {
			t.Errorf("generation %d after %d", now, seen)
		}
	case <-time.After(20 * time.Second):
		t.Error("nothing woke the wait")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	h, seen := openSoft(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := h.Wait(ctx, seen); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) < 50*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestPageFileCannotConfirm(t *testing.T) {
	h, seen := openSoft(t)
	for _, err := range []error{h.Confirm(seen), h.Track(true)} {
		if !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Error(err)
		}
	}
}

func TestNoDeviceDoesNotExist(t *testing.T) {
	if _, err := Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestWhatIsNoDeviceIsRefused(t *testing.T) {
	if _, err := OpenAt("/dev/null"); !errors.Is(err, syscall.ENOTTY) {
		t.Error(err)
	}
}

func TestPageFileThatOthersWriteToIsRefused(t *testing.T) {
	for _, path := range []string{softFolder, softPage} {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err = os.Chmod(path, st.Mode().Perm()|0o020); err != nil {
			t.Fatal(err)
		}
		_, err = OpenSoft()
		os.Chmod(path, st.Mode().Perm())
		if !errors.Is(err, syscall.ENODEV) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPageFileWithoutAPublisherIsRefused(t *testing.T) {
	const aside = softPage + ".aside"
	if err := os.Rename(softPage, aside); err != nil {
		t.Fatal(err)
	}
	defer os.Rename(aside, softPage)
	page, err := os.ReadFile(aside)
	if err == nil {
		err = os.WriteFile(softPage, page, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSoft(); !errors.Is(err, syscall.ENODEV) {
		t.Error(err)
	}
}

func TestClosedHandleFails(t *testing.T) {
	h, seen := openSoft(t)
	h.Close()
	h.Close()
	if _, err := h.Read(); err != ErrClosed || h.Confirm(seen) != ErrClosed || !h.Changed(seen) {
		t.Errorf("a closed handle answers: %v", err)
	}
}

func BenchmarkChanged(b *testing.B) {
	h, err := OpenSoft()
	if err != nil {
		b.Fatal(err)
	}
	seen, _ := h.Read()
	for i := 0; i < b.N; i++ {
		if h.Changed(seen) {
			b.Fatal("changed")
		}
	}
}
