// SPDX-License-Identifier: MIT
//! What layout.c prints of the header, out of the declarations of the crate.

use std::mem::{size_of, size_of_val, MaybeUninit};
use std::ptr::addr_of;

use sysgenid_sys::*;

macro_rules! layout {
    ($type:ident: $($member:ident)*) => {
        println!("{} {}", stringify!($type), size_of::<$type>());
        let value = MaybeUninit::<$type>::zeroed();
        let value = unsafe { value.assume_init() };
        $(
            let offset = addr_of!(value.$member) as usize - addr_of!(value) as usize;
            println!("{}.{} {} {}", stringify!($type), stringify!($member), offset, size_of_val(&value.$member));
        )*
    };
}

macro_rules! constants {
    ($($name:ident)*) => {
        $(println!("{} {}", stringify!($name), $name);)*
    };
}

fn main() {
    layout!(sysgenid_view: generation hardware_id recorded_id);
    layout!(sysgenid_info: features time generation flags source sources confirmed watchers outdated handle instance_id);
    layout!(sysgenid_watcher: pid confirmed start_time cgroup_id flags reserved comm);
    layout!(sysgenid_gate_args: size operation flags generation devices marks filter device_count mark_count filter_len state reason opened hooked reserved dropped_in dropped_out);
    constants!(SYSGENID_OPEN_SOFT SYSGENID_DECLARE_UNKNOWN SYSGENID_LIST_ALL);
    constants!(SYSGENID_HANDLE_EXACT SYSGENID_HANDLE_WRITABLE SYSGENID_HANDLE_OLD_DRIVER SYSGENID_HANDLE_SOFT SYSGENID_HANDLE_VMCLOCK);
    constants!(SYSGENID_WATCHER_OUTDATED SYSGENID_GET_INSTANCE);
}
