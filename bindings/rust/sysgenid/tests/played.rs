// SPDX-License-Identifier: MIT
//! Run by tests/bindings/rust.py, with a libsysgenid whose device is played; one test at a time.

use std::io::ErrorKind;
use std::os::raw::c_int;
use std::thread;
use std::time::{Duration, Instant};
use sysgenid::Handle;

extern "C" {
    fn played_resume();
    fn played_resume_unseen();
    fn played_open_errno(error: c_int);
    fn played_is_tracked(fd: c_int) -> bool;
    fn played_is_clean() -> bool;
}

const ENOENT: c_int = 2;
const ESTALE: c_int = 116;

fn resume() {
    unsafe { played_resume() }
}

#[test]
fn resume_changes_the_generation() {
    let handle = Handle::open().unwrap();
    let seen = handle.read().unwrap();
    assert!(!handle.changed(seen));
    resume();
    assert!(handle.changed(seen));
    assert_eq!(handle.read().unwrap(), seen + 1);
    assert!(!handle.changed(seen + 1));
    drop(handle);
    assert!(unsafe { played_is_clean() });
}

#[test]
fn other_hardware_id_is_a_change_before_the_kernel_looks() {
    let handle = Handle::open_at("/fake/sysgenid").unwrap();
    assert!(handle.is_exact());
    let seen = handle.read().unwrap();
    unsafe { played_resume_unseen() }
    assert!(handle.changed(seen));
    resume();
}

#[test]
fn wait_times_out_without_a_resume() {
    let mut handle = Handle::open().unwrap();
    let seen = handle.read().unwrap();
    let start = Instant::now();
    let error = handle.wait(seen, Some(Duration::from_millis(50))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[test]
fn wait_returns_at_a_resume_in_another_thread() {
    let mut handle = Handle::open().unwrap();
    let seen = handle.read().unwrap();
    let other = thread::spawn(|| {
        thread::sleep(Duration::from_millis(50));
        resume();
    });
    assert_eq!(handle.wait(seen, None).unwrap(), seen + 1);
    other.join().unwrap();
}

#[test]
fn confirm_of_another_generation_is_stale() {
    let handle = Handle::open().unwrap();
    let seen = handle.read().unwrap();
    handle.confirm(seen).unwrap();
    resume();
    assert_eq!(handle.confirm(seen).unwrap_err().raw_os_error(), Some(ESTALE));
    assert_eq!(handle.state().unwrap().confirmed, seen);
}

#[test]
fn track_asks_to_be_waited_for() {
    use std::os::unix::io::AsRawFd;
    let handle = Handle::open().unwrap();
    let fd = handle.event_fd().unwrap().as_raw_fd();
    handle.track(true).unwrap();
    assert!(unsafe { played_is_tracked(fd) });
    handle.track(false).unwrap();
    assert!(!unsafe { played_is_tracked(fd) });
}

#[test]
fn state_is_what_the_kernel_says() {
    let state = Handle::open().unwrap().state().unwrap();
    assert_eq!((state.watchers, state.outdated), (3, 2));
    assert_eq!(state.instance_id, Some([1, 2, 3, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn no_device_is_not_found() {
    unsafe { played_open_errno(ENOENT) }
    let opened = Handle::open();
    unsafe { played_open_errno(0) }
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound);
}
