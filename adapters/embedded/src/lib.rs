//! What a device of [`iot_crypto`] needs on a microcontroller.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
