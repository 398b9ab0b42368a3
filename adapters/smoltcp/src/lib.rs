//! Runs the roles of [`iot_crypto`] over the UDP sockets of smoltcp, without a heap.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
