// SPDX-License-Identifier: MIT

// Package sysgenid tells a program that its virtual machine has resumed as a clone of itself. The package is pure Go.
//
// Look after each use of what no two clones may use:
//
//	seen, _ := handle.Read()
//	reseed() // after the read, not before
//	id := draw()
//	if handle.Changed(seen) {
//		// a clone may have the same id: read, reseed and draw again
//	}
//
// Failures are errors of the package syscall: errors.Is(err, fs.ErrNotExist) where there is no device.
package sysgenid

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	device       = "/dev/sysgenid"
	softPage     = "/run/sysgenid/page"
	softFolder   = "/run/sysgenid"
	softInterval = 10 * time.Millisecond
	tmpfsMagic   = 0x01021994
	ofdGetLock   = 36 // F_OFD_GETLK
)

// ErrClosed is what calls give after Close.
var ErrClosed = errors.New("sysgenid: the handle is closed")

// State is what the kernel says of the current generation. SYSGENID_GET of sysgenid(4) explains each member.
type State struct {
	Generation, Confirmed, Watchers, Outdated uint32
	// Public bytes that differ in each clone; nil where nothing is known to differ.
	InstanceID []byte
}

// A Handle is an open /dev/sysgenid, or a page file. Goroutines may share it; none may be in a call when Close begins.
type Handle struct {
	path     string
	fd       int
	soft     bool
	mappings [][]byte

	generation         *uint32
	recorded, hardware *[2]uint64
}

// Open opens /dev/sysgenid. A driver of the SysGenID patches, which lacks calls, gives EINVAL or ENOTTY.
func Open() (*Handle, error) { return OpenAt(device) }

// OpenAt opens another node, for a container or a test. The node of the hardware page is path with "-hw" behind.
func OpenAt(path string) (*Handle, error) {
	h := &Handle{path: path, fd: -1}
	if err := h.openDevice(); err != nil {
		h.Close()
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return h, nil
}

// OpenSoft opens /dev/sysgenid, or where there is none the page file of "sysgenidctl publish" or "sysgenidctl simulate".
func OpenSoft() (*Handle, error) {
	h, err := Open()
	if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENODEV) {
		return h, err
	}
	h = &Handle{path: softPage, fd: -1, soft: true}
	if soft := h.openPage(); soft != nil {
		h.Close()
		// If there is neither, the device is what was looked for.
		if !errors.Is(soft, syscall.ENOENT) {
			err = &os.PathError{Op: "open", Path: softPage, Err: soft}
		}
		return nil, err
	}
	return h, nil
}

func (h *Handle) openDevice() error {
	const flags = syscall.O_NONBLOCK | syscall.O_CLOEXEC
	var err error
	h.fd, err = syscall.Open(h.path, syscall.O_RDWR|flags, 0)
	if err == syscall.EACCES || err == syscall.EPERM || err == syscall.EROFS {
		h.fd, err = syscall.Open(h.path, syscall.O_RDONLY|flags, 0)
	}
	if err != nil {
		h.fd = -1
		return err
	}
	if _, err = ioctlGetInfo(h.fd); err != nil {
		return err
	}
	// A mapping keeps its open file alive, and with it the watcher: h.fd is not mapped.
	fd, err := syscall.Open(h.path, syscall.O_RDONLY|flags, 0)
	if err != nil {
		return err
	}
	err = h.mapPage(fd)
	syscall.Close(fd)
	if err != nil {
		return err
	}
	return h.mapHardware(h.path + "-hw")
}

func (h *Handle) mapOne(fd int, offset int64) ([]byte, error) {
	page, err := syscall.Mmap(fd, offset, os.Getpagesize(), syscall.PROT_READ, syscall.MAP_SHARED)
	if err == nil {
		h.mappings = append(h.mappings, page)
	}
	return page, err
}

func (h *Handle) mapPage(fd int) error {
	page, err := h.mapOne(fd, 0)
	if err != nil {
		return err
	}
	word := func(at int) uint32 { return *(*uint32)(unsafe.Pointer(&page[at])) }
	if word(4) != pageMagic || word(8) < firstPageSize {
		return syscall.ENODEV
	}
	h.generation = (*uint32)(unsafe.Pointer(&page[0]))
	h.recorded = (*[2]uint64)(unsafe.Pointer(&page[noIDOffset]))
	h.hardware = h.recorded
	return nil
}

// How the module says that it has no page to show, and the system that it is not for this program.
func isRefusal(err error) bool {
	switch err {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ENXIO, syscall.ENODEV, syscall.EBUSY, syscall.EOPNOTSUPP,
		syscall.EACCES, syscall.EPERM, syscall.EROFS:
		return true
	}
	return false
}

func (h *Handle) mapHardware(path string) error {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	var hardware, second []byte
	if err == nil {
		defer syscall.Close(fd)
		hardware, err = h.mapOne(fd, 0)
	}
	if err == nil {
		second, err = h.mapOne(fd, int64(os.Getpagesize()))
	}
	if err != nil {
		if isRefusal(err) {
			return nil
		}
		return err
	}
	r := (*record)(unsafe.Pointer(&second[0]))
	if r.size < uint32(unsafe.Sizeof(*r)) || r.hwOffset%8 != 0 || int(r.hwOffset) > len(hardware)-len(r.id)*8 {
		return nil
	}
	h.recorded = &r.id
	h.hardware = (*[2]uint64)(unsafe.Pointer(&hardware[r.hwOffset]))
	return nil
}

// Only root may write to the page file: whoever can write there can hide a clone.
func (h *Handle) openPage() error {
	const flags = syscall.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	onlyRoot := func(st *syscall.Stat_t) bool { return st.Uid == 0 && st.Mode&0o022 == 0 }
	var st syscall.Stat_t
	var fs syscall.Statfs_t
	if err := syscall.Lstat(softFolder, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR || !onlyRoot(&st) {
		return syscall.ENODEV
	}
	var err error
	if h.fd, err = syscall.Open(h.path, flags, 0); err != nil {
		h.fd = -1
		if err == syscall.ELOOP || err == syscall.ENXIO {
			return syscall.ENODEV
		}
		return err
	}
	if err = syscall.Fstat(h.fd, &st); err == nil {
		err = syscall.Fstatfs(h.fd, &fs)
	}
	if err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG || !onlyRoot(&st) || fs.Type != tmpfsMagic || st.Size < firstPageSize {
		return syscall.ENODEV
	}
	if err = h.mapPage(h.fd); err == nil {
		err = h.publisherLives()
	}
	if err == syscall.EOWNERDEAD {
		return syscall.ENODEV
	}
	return err
}

// The publisher holds a lock for as long as it keeps the page up to date.
func (h *Handle) publisherLives() error {
	lock := syscall.Flock_t{Type: syscall.F_RDLCK}
	if err := syscall.FcntlFlock(uintptr(h.fd), ofdGetLock, &lock); err != nil {
		return err
	}
	if lock.Type == syscall.F_UNLCK {
		return syscall.EOWNERDEAD
	}
	return nil
}

// Close ends the handle.
func (h *Handle) Close() error {
	h.generation = nil
	for _, page := range h.mappings {
		syscall.Munmap(page)
	}
	h.mappings = nil
	if h.fd >= 0 {
		syscall.Close(h.fd)
		h.fd = -1
	}
	return nil
}

func (h *Handle) get() (getArgs, error) {
	switch {
	case h.fd < 0:
		return getArgs{}, ErrClosed
	case h.soft:
		err := h.publisherLives()
		return getArgs{generation: atomic.LoadUint32(h.generation)}, err
	default:
		return ioctlGetInfo(h.fd)
	}
}

// Read returns the current generation: right from the first instruction after a resume.
// With a page file it is what the publisher was told, and EOWNERDEAD if the publisher has ended.
func (h *Handle) Read() (uint32, error) {
	get, err := h.get()
	return get.generation, err
}

// Changed says whether the generation may differ from seen. It makes no system call. After Close it says yes.
func (h *Handle) Changed(seen uint32) bool {
	if h.generation == nil {
		return true
	}
	// The order counts: the module stores the generation before the record. See sysgenid_changed() in <sysgenid.h>.
	r0, r1 := atomic.LoadUint64(&h.recorded[0]), atomic.LoadUint64(&h.recorded[1])
	h0, h1 := atomic.LoadUint64(&h.hardware[0]), atomic.LoadUint64(&h.hardware[1])
	generation := atomic.LoadUint32(h.generation)
	return r0 != h0 || r1 != h1 || generation != seen
}

// Wait sleeps until the generation differs from seen, and returns it, or until ctx is done.
func (h *Handle) Wait(ctx context.Context, seen uint32) (uint32, error) {
	if h.fd < 0 {
		return 0, ErrClosed
	}
	if h.soft {
		return h.waitSoft(ctx, seen)
	}
	// A new open file has confirmed the current generation: a read from it sleeps until there is another one.
	file, err := os.OpenFile(h.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
			file.SetReadDeadline(time.Unix(1, 0))
		case <-ended:
		}
	}()
	for {
		now, err := h.Read()
		if err != nil || now != seen {
			return now, err
		}
		var bytes [4]byte
		if _, err = file.Read(bytes[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, ctx.Err()
		} else if err != nil {
			return 0, err
		}
	}
}

// Nothing wakes who waits for a page file.
func (h *Handle) waitSoft(ctx context.Context, seen uint32) (uint32, error) {
	tick := time.NewTicker(softInterval)
	defer tick.Stop()
	for {
		if now, err := h.Read(); err != nil || now != seen {
			return now, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}

// Confirm says "I have adjusted to this generation". ESTALE: another one is current.
func (h *Handle) Confirm(generation uint32) error {
	if err := h.needsDevice("confirm"); err != nil {
		return err
	}
	return ioctlConfirmGeneration(h.fd, generation)
}

// Track asks whoever resumes the machine to wait for Confirm, or no longer. EBADF: the node is not writable.
func (h *Handle) Track(on bool) error {
	if err := h.needsDevice("track"); err != nil {
		return err
	}
	if on {
		return ioctl(h.fd, ioctlTrack, 1)
	}
	return ioctl(h.fd, ioctlTrack, 0)
}

func (h *Handle) needsDevice(what string) error {
	if h.fd < 0 {
		return ErrClosed
	}
	if h.soft {
		return fmt.Errorf("sysgenid: %s with a page file: %w", what, syscall.EOPNOTSUPP)
	}
	return nil
}

// IsExact says whether Changed sees a resume from the first instruction on.
func (h *Handle) IsExact() bool { return h.hardware != h.recorded }

// IsSoft says whether this is a page file.
func (h *Handle) IsSoft() bool { return h.soft }

// State returns the generation and what belongs to it.
func (h *Handle) State() (State, error) {
	get, err := h.get()
	state := State{Generation: get.generation, Confirmed: get.confirmed, Watchers: get.watchers, Outdated: get.outdated}
	if get.flags&getInstance != 0 {
		state.InstanceID = append(state.InstanceID, get.instanceID[:]...)
	}
	return state, err
}
