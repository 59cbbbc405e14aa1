// SPDX-License-Identifier: MIT
//! links = "sysgenid" asks for a build script. The linker finds libsysgenid where the system has it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
