// SPDX-License-Identifier: MIT

package sysgenid

import (
	"syscall"
	"unsafe"
)

// What module/uapi/sysgenid/abi.h declares; a test compares the two.
const (
	pageMagic     = 0x44494753
	firstPageSize = 64
	noIDOffset    = 48
	getInstance   = 0x20

	ioctlTrack   = 0xe401
	ioctlGet     = 0xc040e410
	ioctlConfirm = 0x4008e415
)

type getArgs struct {
	size, generation, flags, source        uint32
	sources, confirmed, watchers, outdated uint32
	features, time                         uint64
	instanceID                             [16]byte
}

type confirmArgs struct {
	size, generation uint32
}

type record struct {
	id             [2]uint64
	hwOffset, size uint32
}

func ioctl(fd int, command, argument uintptr) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), command, argument)
	if errno != 0 {
		return errno
	}
	return nil
}

func ioctlGetInfo(fd int) (getArgs, error) {
	get := getArgs{size: uint32(unsafe.Sizeof(getArgs{}))}
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), ioctlGet, uintptr(unsafe.Pointer(&get)))
	if errno != 0 {
		return get, errno
	}
	return get, nil
}

func ioctlConfirmGeneration(fd int, generation uint32) error {
	confirm := confirmArgs{uint32(unsafe.Sizeof(confirmArgs{})), generation}
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), ioctlConfirm, uintptr(unsafe.Pointer(&confirm)))
	if errno != 0 {
		return errno
	}
	return nil
}
