// SPDX-License-Identifier: MIT
//! Says when this machine has resumed as a clone.

use std::io::Result;
use sysgenid::Handle;

/// A program checks like this after each use of what may not be used twice.
fn tell(handle: &Handle, seen: u32) {
    let state = if handle.changed(seen) { "changed" } else { "current" };
    println!("generation {}, {}", seen, state);
}

fn main() -> Result<()> {
    let mut handle = Handle::open()?;
    let mut seen = handle.read()?;
    loop {
        tell(&handle, seen);
        let current = handle.wait(seen, None)?;
        tell(&handle, seen);
        seen = current;
    }
}
