//! Tells the property suites of the core, which are tests of this package too, whose
//! provider they are to take.

fn main() {
    println!("cargo::rustc-cfg=host_provider");
}
