//! `iot-crypto image`: make what a microcontroller finds in its flash.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use iot_crypto::device::DeviceTrust;
use iot_crypto::identity::{Endorsement, Fingerprint, TrustError};
use iot_crypto_embedded::flash::RamFlash;
use iot_crypto_embedded::store::{Provisioning, Store, USUAL_LEN};
use iot_crypto_host::OsProvider;
use serde::Serialize;
use zeroize::Zeroizing;

use super::Context;
use crate::config::DeviceConfig;
use crate::document::Document;
use crate::error::Error;
use crate::exit::Exit;
use crate::files::{self, Access, Existing};
use crate::trust_file::Contents;

/// The greatest length of a region, in bytes.
const MAX_LEN: i64 = 1 << 20;

/// The arguments of `image`.
#[derive(Debug, Args)]
#[command(after_help = "\
The image is private, as the identity is. A programmer writes it to the start of the
region that the firmware gives its store; for the crate iot-crypto-embedded:
Store::open(flash, region).

Examples:
  iot-crypto image thermometer.toml --out thermometer.image
  iot-crypto image valve.toml --word 8 --length 4096 --out valve.image")]
pub struct Image {
    /// The configuration of the device
    file: PathBuf,
    /// Write the image to FILE
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
    /// The length of the region in bytes: an even number of whole pages of the flash
    #[arg(long, value_name = "BYTES", default_value_t = USUAL_LEN,
        value_parser = clap::value_parser!(u32).range(64..=MAX_LEN))]
    length: u32,
    /// The word of the flash in bytes, the least that it writes: 1, 2, 4, 8, 16 or 32
    #[arg(long, value_name = "BYTES", default_value = "4", hide_possible_values = true)]
    word: Word,
}

/// The least that a flash writes, in bytes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Word {
    #[value(name = "1")]
    One,
    #[value(name = "2")]
    Two,
    #[value(name = "4")]
    Four,
    #[value(name = "8")]
    Eight,
    #[value(name = "16")]
    Sixteen,
    #[value(name = "32")]
    ThirtyTwo,
}

/// The flash of a microcontroller. Its pages are not known here: whoever says how long the
/// region is knows them.
type Flash<const WORD: usize> = RamFlash<Zeroizing<Vec<u8>>, WORD, 32>;

#[derive(Serialize)]
struct Made {
    file: PathBuf,
    name: String,
    id: String,
    length: u32,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, name, id, length } = self;
        write!(f, "{}: {length} bytes for {name} ({id}); private", file.display())
    }
}

impl Image {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &mut Context) -> Result<Exit, Error> {
        let existing = Existing::with_force(self.force);
        files::check_absent(&self.out, existing)?;
        let config = DeviceConfig::load(&context.provider, &self.file)?;
        let document = Document::read(&config.party.trust)?;
        let contents = Contents::check(&context.provider, &document)?;
        let image = match self.word {
            Word::One => self.image::<1>(context, &config, &contents)?,
            Word::Two => self.image::<2>(context, &config, &contents)?,
            Word::Four => self.image::<4>(context, &config, &contents)?,
            Word::Eight => self.image::<8>(context, &config, &contents)?,
            Word::Sixteen => self.image::<16>(context, &config, &contents)?,
            Word::ThirtyTwo => self.image::<32>(context, &config, &contents)?,
        };
        files::write(&self.out, &*image, Access::Private, existing)?;
        context.format.print(&Made {
            file: self.out.clone(),
            name: config.party.identity.certificate().name().to_string(),
            id: config.party.identity.id().to_string(),
            length: self.length,
        })?;
        Ok(Exit::Success)
    }

    fn image<const WORD: usize>(
        &self,
        context: &mut Context,
        config: &DeviceConfig,
        contents: &Contents,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let provider = &mut context.provider;
        let trusted: Vec<_> =
            contents.parties.iter().map(|party| (&party.certificate, party.authority)).collect();
        let held: Vec<_> = contents
            .held
            .iter()
            .map(|held| (held.subject.fingerprint(provider), &held.endorsement))
            .collect();
        let trust = device_trust(contents, &held, provider)?;
        let provisioning = Provisioning {
            identity: &config.party.identity,
            endorsements: &config.party.endorsements,
            trusted: &trusted,
            held: &held,
            network: &config.party.network,
        };
        let length = usize::try_from(self.length).unwrap_or_default();
        let flash = Flash::<WORD>::new(Zeroizing::new(vec![0xff; length]));
        let failed = |error| Error::usage(format!("no image can be made: {error}"));
        let mut store =
            Store::provision(flash, 0..self.length, provider, &provisioning).map_err(failed)?;
        store.save_revocations(&trust).map_err(failed)?;
        Ok(store.into_flash().into_bytes())
    }
}

/// What the trust file says, in the trust store of a device, which is a small one.
fn device_trust(
    contents: &Contents,
    held: &[(Fingerprint, &Endorsement)],
    provider: &OsProvider,
) -> Result<DeviceTrust, Error> {
    let too_many = |what: &str| {
        Error::usage(format!(
            "the trust file has more {what} than a device on a microcontroller has room for; give \
             it one of its own, without those that it does not need"
        ))
    };
    let mut trust = DeviceTrust::new();
    for party in &contents.parties {
        let added = trust.add_party(provider, &party.certificate, party.authority);
        added.map_err(|_| too_many("trusted parties"))?;
    }
    for (subject, endorsement) in held {
        let held = trust.hold_endorsement(*subject, (*endorsement).clone());
        held.map_err(|_| too_many("endorsements"))?;
    }
    for revocation in &contents.revocations {
        match trust.revoke(provider, revocation) {
            // One whose issuer is not listed has no effect.
            Ok(_) | Err(TrustError::UnknownIssuer) => {}
            Err(_) => return Err(too_many("revocations")),
        }
    }
    Ok(trust)
}
