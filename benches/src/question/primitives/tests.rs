use super::operation::{Key, Point};
use super::*;

/// Everyone who can do `operation`, and what comes of it; `None` if it is refused.
fn outputs(operation: Operation, inputs: &Inputs) -> Vec<(String, Option<Vec<u8>>)> {
    let (able, _) = runners(operation, inputs).unwrap();
    able.into_iter().map(|mut runner| (runner.library.clone(), runner.output().ok())).collect()
}

/// Inputs that differ from the usual ones in what any operation is made from.
fn others() -> Inputs {
    let mut inputs = Inputs::new().unwrap();
    inputs.key.expose_mut()[0] ^= 1;
    inputs.content[0] ^= 1;
    inputs.x25519_secret.expose_mut()[1] ^= 1;
    inputs.p256_secret.expose_mut()[31] ^= 1;
    inputs.input[0] ^= 1;
    inputs.signed[0] ^= 1;
    inputs
}

#[test]
fn everyone_gives_the_same_and_something_else_for_other_inputs() {
    let (inputs, others) = (Inputs::new().unwrap(), others());
    for operation in Operation::all() {
        let all = outputs(operation, &inputs);
        let (_, expected) = &all[0];
        assert!(expected.is_some(), "{operation:?}");
        assert!(all.iter().all(|(_, output)| output == expected), "{operation:?}: {all:?}");
        let changed = outputs(operation, &others);
        let (_, other) = &changed[0];
        assert_ne!(other, expected, "{operation:?}");
        assert!(changed.iter().all(|(_, output)| output == other), "{operation:?}: {changed:?}");
    }
}

#[test]
fn nobody_opens_or_verifies_what_is_not_authentic() {
    let mut inputs = Inputs::new().unwrap();
    for key in [Key::Before, Key::EachTime] {
        let mut record = sealed(Operation::Seal(key, 16), &inputs).unwrap();
        *record.last_mut().unwrap() ^= 1;
        for library in libraries() {
            let mut open = library.open(key, record.clone(), &inputs).ok().unwrap();
            assert_eq!(open(&mut [0; OUTPUT]), None, "{}", library.name());
        }
    }
    inputs.signature.0[63] ^= 1;
    for point in [Point::Compressed, Point::Uncompressed] {
        let all = outputs(Operation::P256Verify(point), &inputs);
        assert!(all.iter().all(|(_, output)| output.is_none()), "{all:?}");
    }
}

/// With both keys of RFC 6979 appendix A.2.5.
#[test]
fn the_public_key_is_that_of_the_private_key() {
    let inputs = Inputs::new().unwrap();
    for (library, public) in outputs(Operation::P256PublicKey, &inputs) {
        assert_eq!(public.unwrap(), inputs.p256_public.0, "{library}");
    }
}

#[test]
fn a_library_goes_by_the_version_that_is_linked() {
    for library in libraries().iter().filter(|library| !library.is_ours()) {
        let name = library.name();
        let (_, version) = name.split_once(' ').unwrap();
        assert!(version.split('.').count() == 3, "{name}");
    }
}
