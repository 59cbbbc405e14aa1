// SPDX-License-Identifier: MIT
//! The declarations of `<sysgenid.h>`. What is inline in C is called by its twin in the library.
#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_int, c_uint, c_void};

#[repr(C)]
pub struct sysgenid {
    _private: [u8; 0],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct sysgenid_view {
    pub generation: *const u32,
    pub hardware_id: *const u64,
    pub recorded_id: *const u64,
}

pub const SYSGENID_OPEN_SOFT: c_uint = 1 << 0;
pub const SYSGENID_DECLARE_UNKNOWN: c_uint = 0x1;
pub const SYSGENID_LIST_ALL: c_uint = 0x1;

pub const SYSGENID_HANDLE_EXACT: u32 = 1 << 0;
pub const SYSGENID_HANDLE_WRITABLE: u32 = 1 << 1;
pub const SYSGENID_HANDLE_OLD_DRIVER: u32 = 1 << 2;
pub const SYSGENID_HANDLE_SOFT: u32 = 1 << 3;
pub const SYSGENID_HANDLE_VMCLOCK: u32 = 1 << 4;
pub const SYSGENID_WATCHER_OUTDATED: u32 = 0x1;
pub const SYSGENID_GET_INSTANCE: u32 = 0x20;

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct sysgenid_info {
    pub features: u64,
    pub time: u64,
    pub generation: u32,
    pub flags: u32,
    pub source: u32,
    pub sources: u32,
    pub confirmed: u32,
    pub watchers: u32,
    pub outdated: u32,
    pub handle: u32,
    pub instance_id: [u8; 16],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct sysgenid_watcher {
    pub pid: i32,
    pub confirmed: u32,
    pub start_time: u64,
    pub cgroup_id: u64,
    pub flags: u32,
    pub reserved: u32,
    pub comm: [c_char; 16],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct sysgenid_gate_args {
    pub size: u32,
    pub operation: u32,
    pub flags: u32,
    pub generation: u32,
    pub devices: u64,
    pub marks: u64,
    pub filter: u64,
    pub device_count: u32,
    pub mark_count: u32,
    pub filter_len: u32,
    pub state: u32,
    pub reason: u32,
    pub opened: u32,
    pub hooked: u32,
    pub reserved: u32,
    pub dropped_in: u64,
    pub dropped_out: u64,
}

#[link(name = "sysgenid")]
extern "C" {
    pub fn sysgenid_open(out: *mut *mut sysgenid, flags: c_uint) -> c_int;
    pub fn sysgenid_open_at(out: *mut *mut sysgenid, path: *const c_char, flags: c_uint) -> c_int;
    pub fn sysgenid_version() -> u32;
    pub fn sysgenid_close(g: *mut sysgenid);
    pub fn sysgenid_get_fd(g: *const sysgenid) -> c_int;
    pub fn sysgenid_get_view(g: *const sysgenid) -> *const sysgenid_view;
    pub fn sysgenid_is_exact(g: *const sysgenid) -> bool;
    pub fn sysgenid_read(g: *mut sysgenid, generation: *mut u32) -> c_int;
    pub fn sysgenid_wait(g: *mut sysgenid, seen: u32, timeout_ms: c_int, generation: *mut u32) -> c_int;
    pub fn sysgenid_confirm(g: *mut sysgenid, generation: u32) -> c_int;
    pub fn sysgenid_track(g: *mut sysgenid, on: bool) -> c_int;
    pub fn sysgenid_declare(g: *mut sysgenid, generation: u32, flags: c_uint) -> c_int;
    pub fn sysgenid_trigger(
        g: *mut sysgenid,
        expected: u32,
        entropy: *const c_void,
        entropy_len: usize,
        generation: *mut u32,
    ) -> c_int;
    pub fn sysgenid_trigger_least(
        g: *mut sysgenid,
        expected: u32,
        least: u32,
        entropy: *const c_void,
        entropy_len: usize,
        generation: *mut u32,
    ) -> c_int;
    pub fn sysgenid_wait_watchers(
        g: *mut sysgenid,
        generation: u32,
        timeout_ns: i64,
        current: *mut u32,
        outdated: *mut u32,
    ) -> c_int;
    pub fn sysgenid_list_watchers(
        g: *mut sysgenid,
        flags: c_uint,
        cursor: *mut u64,
        entries: *mut sysgenid_watcher,
        entry_size: usize,
        count: *mut c_uint,
        generation: *mut u32,
    ) -> c_int;
    pub fn sysgenid_gate(g: *mut sysgenid, gate: *mut sysgenid_gate_args) -> c_int;
    pub fn sysgenid_get_info(g: *mut sysgenid, info: *mut sysgenid_info, size: usize) -> c_int;
    pub fn sysgenid_changed(v: *const sysgenid_view, seen: u32) -> bool;
}
