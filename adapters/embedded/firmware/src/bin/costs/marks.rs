//! The points between which instructions are counted: each is a function that does
//! nothing, and whoever counts sees when the program comes to its start.

macro_rules! marks {
    ($($(#[$what:meta])* $name:ident = $number:literal;)*) => {$(
        $(#[$what])*
        #[inline(never)]
        pub(crate) fn $name() {
            // No two are alike, or the linker would make one of them.
            core::hint::black_box($number);
        }
    )*};
}

marks! {
    /// Here begins a part of a negotiation.
    negotiation = 1;
    /// Here begins a part of a handshake.
    handshake = 2;
    /// A record is sealed.
    seal = 3;
    /// A record is opened.
    open = 4;
    /// The AEAD alone seals.
    raw_seal = 5;
    /// The AEAD alone opens.
    raw_open = 6;
    /// Nothing is done: this is what the marks themselves take.
    nothing = 7;
    /// Here ends what was begun last of all these.
    end = 8;
    /// An operation with a public key begins.
    public_key = 9;
    /// An operation of symmetric cryptography begins.
    symmetric = 10;
    /// Random numbers are drawn.
    random = 11;
    /// Here ends the operation.
    done = 12;
}

/// Runs `work` between the mark that begins it and the one that ends it.
pub(crate) fn count<T>(begin: fn(), work: impl FnOnce() -> T) -> T {
    begin();
    let result = work();
    end();
    result
}

/// Runs an operation, a part of the work, between its marks.
pub(crate) fn operation<T>(begin: fn(), work: impl FnOnce() -> T) -> T {
    begin();
    let result = work();
    done();
    result
}
