// SPDX-License-Identifier: MIT
//! Says when this machine has woken as a clone.
//!
//!     rustc --edition 2021 -O watch.rs

use std::io::{Error, ErrorKind, Result};
use std::ptr;

mod sysgenid_sys;
use sysgenid_sys::*;

/// Functions return 0 or a negative errno.
fn check(result: i32) -> Result<()> {
    if result < 0 {
        Err(Error::from_raw_os_error(-result))
    } else {
        Ok(())
    }
}

struct Sysgenid {
    handle: *mut sysgenid,
    view: sysgenid_view,
}

impl Sysgenid {
    fn open() -> Result<Self> {
        let mut handle = ptr::null_mut();
        check(unsafe { sysgenid_open(&mut handle, 0) })?;
        // The pages live as long as the handle.
        let view = unsafe { *sysgenid_get_view(handle) };
        Ok(Sysgenid { handle, view })
    }

    fn read(&self) -> Result<u32> {
        let mut generation = 0;
        check(unsafe { sysgenid_read(self.handle, &mut generation) })?;
        Ok(generation)
    }

    /// Two calls must not overlap.
    fn wait(&mut self, seen: u32) -> Result<u32> {
        let mut generation = 0;
        loop {
            match check(unsafe { sysgenid_wait(self.handle, seen, -1, &mut generation) }) {
                Ok(()) => return Ok(generation),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            }
        }
    }

    fn changed(&self, seen: u32) -> bool {
        unsafe { sysgenid_changed(&self.view, seen) }
    }
}

impl Drop for Sysgenid {
    fn drop(&mut self) {
        unsafe { sysgenid_close(self.handle) }
    }
}

/// A program checks like this after each use of what may not be used twice.
fn tell(g: &Sysgenid, seen: u32) {
    let state = if g.changed(seen) { "changed" } else { "current" };
    println!("generation {}, {}", seen, state);
}

fn main() -> Result<()> {
    let mut g = Sysgenid::open()?;
    let mut seen = g.read()?;
    loop {
        tell(&g, seen);
        let current = g.wait(seen)?;
        tell(&g, seen);
        seen = current;
    }
}
