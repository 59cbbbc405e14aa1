// SPDX-License-Identifier: MIT
//! Learn that this virtual machine has resumed as a clone of itself: libsysgenid for Rust.
//!
//! Failures have the errno of libsysgenid(3): `NotFound` where there is no device, `ECHILD` in a child of fork(2), which
//! opens a handle of its own.
#![deny(missing_docs)]

use std::ffi::CString;
use std::io::{Error, ErrorKind, Result};
use std::os::raw::c_int;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{BorrowedFd, RawFd};
use std::path::Path;
use std::ptr;
use std::time::{Duration, Instant};

use sysgenid_sys as sys;

/// Functions of the library return 0 or a negative errno.
fn check(result: c_int) -> Result<()> {
    if result < 0 {
        Err(Error::from_raw_os_error(-result))
    } else {
        Ok(())
    }
}

/// What the kernel says of the current generation. SYSGENID_GET of sysgenid(4) explains each member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The current generation.
    pub generation: u32,
    /// What this handle confirmed last.
    pub confirmed: u32,
    /// Tracked watchers of the whole machine.
    pub watchers: u32,
    /// How many of them have not confirmed the current generation.
    pub outdated: u32,
    /// Public bytes that differ in each clone; None where nothing is known to differ.
    pub instance_id: Option<[u8; 16]>,
}

/// An open /dev/sysgenid. Threads may share it.
#[derive(Debug)]
pub struct Handle {
    handle: *mut sys::sysgenid,
    view: *const sys::sysgenid_view,
    fd: RawFd,
}

// Nothing in a handle changes between open and close; wait() takes it alone.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Handle {
    /// Opens /dev/sysgenid.
    pub fn open() -> Result<Self> {
        Self::with(|out| unsafe { sys::sysgenid_open(out, 0) })
    }

    /// Opens /dev/sysgenid, or where there is none the page file of "sysgenidctl publish" or "sysgenidctl simulate".
    pub fn open_soft() -> Result<Self> {
        Self::with(|out| unsafe { sys::sysgenid_open(out, sys::SYSGENID_OPEN_SOFT) })
    }

    /// Opens another node, for a container or a test.
    pub fn open_at(path: impl AsRef<Path>) -> Result<Self> {
        let path = CString::new(path.as_ref().as_os_str().as_bytes())?;
        Self::with(|out| unsafe { sys::sysgenid_open_at(out, path.as_ptr(), 0) })
    }

    fn with(open: impl FnOnce(*mut *mut sys::sysgenid) -> c_int) -> Result<Self> {
        let mut handle = ptr::null_mut();
        check(open(&mut handle))?;
        let (view, fd) = unsafe { (sys::sysgenid_get_view(handle), sys::sysgenid_get_fd(handle)) };
        Ok(Handle { handle, view, fd })
    }

    /// The current generation: right from the first instruction after a resume.
    pub fn read(&self) -> Result<u32> {
        let mut generation = 0;
        check(unsafe { sys::sysgenid_read(self.handle, &mut generation) })?;
        Ok(generation)
    }

    /// Whether the generation may differ from `seen`. Makes no system call.
    pub fn changed(&self, seen: u32) -> bool {
        unsafe { sys::sysgenid_changed(self.view, seen) }
    }

    /// Sleeps until the generation differs from `seen`, and returns it. `TimedOut` after `timeout`; `None` is no timeout.
    pub fn wait(&mut self, seen: u32, timeout: Option<Duration>) -> Result<u32> {
        let end = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = match end {
                None => -1,
                // Rounded up: a wait must not end early.
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now()).as_micros();
                    c_int::try_from((left + 999) / 1000).unwrap_or(c_int::MAX)
                }
            };
            let mut generation = 0;
            match check(unsafe { sys::sysgenid_wait(self.handle, seen, left, &mut generation) }) {
                Ok(()) => return Ok(generation),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::TimedOut && left == c_int::MAX => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// "I have adjusted to this generation." ESTALE: another one is current.
    pub fn confirm(&self, generation: u32) -> Result<()> {
        check(unsafe { sys::sysgenid_confirm(self.handle, generation) })
    }

    /// Asks whoever resumes the machine to wait for this handle's `confirm()`, or no longer.
    pub fn track(&self, on: bool) -> Result<()> {
        check(unsafe { sys::sysgenid_track(self.handle, on) })
    }

    /// Whether `changed()` sees a resume from the first instruction on.
    pub fn is_exact(&self) -> bool {
        unsafe { sys::sysgenid_is_exact(self.handle) }
    }

    /// Readable while the current generation is not confirmed: for an event loop. Do not read from it.
    /// None with a page file, where nothing wakes who polls.
    pub fn event_fd(&self) -> Option<BorrowedFd<'_>> {
        (self.fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(self.fd) })
    }

    /// The generation and what belongs to it.
    pub fn state(&self) -> Result<State> {
        let mut info = sys::sysgenid_info::default();
        check(unsafe { sys::sysgenid_get_info(self.handle, &mut info, std::mem::size_of_val(&info)) })?;
        let has_instance = info.flags & sys::SYSGENID_GET_INSTANCE != 0;
        Ok(State {
            generation: info.generation,
            confirmed: info.confirmed,
            watchers: info.watchers,
            outdated: info.outdated,
            instance_id: has_instance.then(|| info.instance_id),
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        unsafe { sys::sysgenid_close(self.handle) }
    }
}
