//! The interop matrix: one test for each cell, by the names of the peer, of our side
//! and of the case. Without the feature that links its peer a test says so and
//! passes; on a machine with `CI=true`, every peer has to be there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::Path;

use iot_crypto_interop::case::Case;
use iot_crypto_interop::matrix::{Cell, Outcome, Table};
use iot_crypto_interop::pair::Direction;
use iot_crypto_interop::peer::{LIBRARIES, Library};

fn run(library: Library, direction: Direction, case: Case) {
    if library.version().is_none() {
        eprintln!("SKIPPED: {}", library.how_to_link());
        return;
    }
    if let Err(error) = (Cell { library, direction, case }).run() {
        panic!("{error:#}");
    }
}

/// The tests of the cases, for one peer and direction.
macro_rules! cases {
    ($library:ident, $direction:ident, $($test:ident = $case:ident,)*) => {
        $(
            #[test]
            fn $test() {
                super::super::run(
                    super::super::Library::$library,
                    super::super::Direction::$direction,
                    super::super::Case::$case,
                );
            }
        )*

        pub(crate) const CASES: &[super::super::Case] = &[$(super::super::Case::$case,)*];
    };
}

/// The tests of one peer.
macro_rules! peer {
    ($module:ident = $library:ident) => {
        mod $module {
            pub(crate) mod our_client {
                peer!(@cases $library, OurClient);
            }
            pub(crate) mod our_server {
                peer!(@cases $library, OurServer);
            }
        }
    };
    (@cases $library:ident, $direction:ident) => {
        cases! {
            $library, $direction,
            plain = Plain,
            with_cookie = WithCookie,
            small_datagrams = SmallDatagrams,
            with_loss = WithLoss,
            out_of_order = OutOfOrder,
            extended_master_secret_required = ExtendedMasterSecretRequired,
            extended_master_secret_preferred = ExtendedMasterSecretPreferred,
            wrong_key = WrongKey,
            closed_by_us = ClosedByUs,
            closed_by_the_peer = ClosedByPeer,
            sizes = Sizes,
        }
    };
}

peer!(openssl = OpenSsl);
peer!(gnutls = GnuTls);
peer!(mbedtls = MbedTls);
peer!(wolfssl = WolfSsl);

#[test]
fn every_case_has_its_tests() {
    for cases in [
        openssl::our_client::CASES,
        openssl::our_server::CASES,
        gnutls::our_client::CASES,
        gnutls::our_server::CASES,
        mbedtls::our_client::CASES,
        mbedtls::our_server::CASES,
        wolfssl::our_client::CASES,
        wolfssl::our_server::CASES,
    ] {
        assert_eq!(cases, Case::ALL);
    }
}

#[test]
fn every_peer_is_there() {
    let missing: Vec<_> = LIBRARIES
        .into_iter()
        .filter(|library| library.version().is_none())
        .map(Library::how_to_link)
        .collect();
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!required || missing.is_empty(), "{}", missing.join("\n"));
    for missing in missing {
        eprintln!("SKIPPED: {missing}");
    }
}

/// The rows of a table in Markdown, as cells.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn the_table_that_is_committed_is_of_these_cells_and_all_of_them_passed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("MATRIX.md");
    let text = std::fs::read_to_string(&path).unwrap();
    // The same table, with the versions that were measured and no results.
    let rows = rows(&text);
    let [heads, _, cases @ ..] = &rows[..] else { panic!("no table in MATRIX.md") };
    let columns = LIBRARIES.into_iter().flat_map(|library| Direction::ALL.map(|d| (library, d)));
    let columns = Vec::from_iter(columns);
    assert_eq!(heads.len(), 1 + columns.len());
    for (head, (library, direction)) in heads.iter().skip(1).zip(columns) {
        assert!(head.starts_with(library.name()) && head.ends_with(direction.name()), "{head}");
    }
    let names = Vec::from_iter(cases.iter().map(|row| row[0]));
    assert_eq!(names, Case::ALL.map(Case::name));
    for row in cases {
        assert_eq!(row.len(), heads.len(), "{row:?}");
        assert!(row.iter().skip(1).all(|cell| cell.starts_with('✓')), "{row:?}");
    }
    for case in Case::ALL {
        assert!(text.contains(case.description()), "{} is described otherwise", case.name());
    }
}

#[test]
fn a_cell_that_fails_is_seen_in_the_table() {
    let cells = Cell::all(&[Library::OpenSsl]);
    let entries = cells.iter().map(|&cell| {
        let failed = cell.case == Case::WrongKey && cell.direction == Direction::OurServer;
        let outcome = match failed {
            true => Outcome::Failed("why".to_owned()),
            false => Outcome::Passed(Some("a note".to_owned())),
        };
        iot_crypto_interop::matrix::Entry { cell, outcome }
    });
    let table =
        Table { versions: vec![(Library::OpenSsl, "1.2".to_owned())], entries: entries.collect() };
    let failures = Vec::from_iter(table.failures());
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].0.case, failures[0].1), (Case::WrongKey, "why"));
    let text = table.to_markdown();
    assert!(text.contains("| wrong key | ✓ a note | ✗ |"), "{text}");
    assert!(text.contains("| OpenSSL 1.2, our client | OpenSSL 1.2, our server |"), "{text}");
    assert!(text.contains("Left out: GnuTLS is not linked: install"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&table.to_json().unwrap()).unwrap();
    let failed = json.as_array().unwrap().iter().find(|row| row["outcome"]["failed"] == "why");
    assert_eq!(failed.unwrap()["case"], "wrong key");
}
