// SPDX-License-Identifier: MIT
//! Answers each line of input with an id that no clone of this machine draws.
//!
//! The generator is xorshift64*: short, and no cipher. With another one the recipe is the same.

use std::fs::File;
use std::io::{stdin, BufRead, Read, Result};
use sysgenid::Handle;

struct Ids {
    handle: Handle,
    seen: u32,
    state: u64,
}

impl Ids {
    fn new(handle: Handle) -> Result<Self> {
        let mut ids = Ids { handle, seen: 0, state: 0 };
        ids.renew()?;
        Ok(ids)
    }

    fn renew(&mut self) -> Result<()> {
        self.seen = self.handle.read()?;
        // After the read: a resume between the two is then seen.
        let mut seed = [0; 8];
        File::open("/dev/urandom")?.read_exact(&mut seed)?;
        self.state = u64::from_ne_bytes(seed) | 1;
        Ok(())
    }

    fn draw(&mut self) -> Result<u64> {
        loop {
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            let id = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d);
            if !self.handle.changed(self.seen) {
                return Ok(id);
            }
            self.renew()?;
        }
    }
}

fn main() -> Result<()> {
    let soft = std::env::args().any(|argument| argument == "--soft");
    let mut ids = Ids::new(if soft { Handle::open_soft()? } else { Handle::open()? })?;
    for line in stdin().lock().lines() {
        line?;
        println!("{:016x}", ids.draw()?);
    }
    Ok(())
}
