//! What OpenSSL does in the place of our certificate and endorsement: an X.509
//! certificate (RFC 5280), signed by an authority that the verifier trusts.

use std::time::Duration;

/// A certificate that is verified.
pub trait Chain {
    /// Whose verification this is, with its version.
    fn name(&self) -> String;

    /// Decodes and verifies the certificate, so many times.
    ///
    /// # Errors
    /// If it is refused.
    fn verify(&mut self, count: usize) -> anyhow::Result<Duration>;

    /// The length of the certificate, in bytes of DER.
    fn length(&self) -> usize;
}

/// OpenSSL's, if it is linked.
///
/// # Errors
/// If the certificates can't be made.
pub fn all() -> anyhow::Result<Vec<Box<dyn Chain>>> {
    #[cfg(feature = "openssl")]
    return Ok(vec![Box::new(with_openssl::OpenSsl::new()?)]);
    #[cfg(not(feature = "openssl"))]
    Ok(Vec::new())
}

#[cfg(feature = "openssl")]
mod with_openssl {
    use std::hint::black_box;
    use std::time::Duration;

    use anyhow::ensure;
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::stack::Stack;
    use openssl::x509::extension::{BasicConstraints, KeyUsage};
    use openssl::x509::store::{X509Store, X509StoreBuilder};
    use openssl::x509::{X509, X509Builder, X509NameBuilder, X509StoreContext};

    use crate::measure::time;

    pub(super) struct OpenSsl {
        trusted: X509Store,
        certificate: Vec<u8>,
    }

    impl OpenSsl {
        pub(super) fn new() -> anyhow::Result<Self> {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            let key = || PKey::from_ec_key(EcKey::generate(&group)?);
            let (authority_key, device_key) = (key()?, key()?);
            let mut authority = begin("company", 1, &authority_key)?;
            let name = name("company")?;
            authority.set_issuer_name(&name)?;
            authority.append_extension(BasicConstraints::new().critical().ca().build()?)?;
            authority.append_extension(KeyUsage::new().key_cert_sign().build()?)?;
            authority.sign(&authority_key, MessageDigest::sha256())?;
            let mut device = begin("thermometer", 2, &device_key)?;
            device.set_issuer_name(&name)?;
            device.sign(&authority_key, MessageDigest::sha256())?;
            let mut trusted = X509StoreBuilder::new()?;
            trusted.add_cert(authority.build())?;
            Ok(Self { trusted: trusted.build(), certificate: device.build().to_der()? })
        }
    }

    fn name(common: &str) -> anyhow::Result<openssl::x509::X509Name> {
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_nid(Nid::COMMONNAME, common)?;
        Ok(name.build())
    }

    /// A certificate, as small as it can be, but for its issuer and signature.
    fn begin(subject: &str, number: u32, key: &PKey<Private>) -> anyhow::Result<X509Builder> {
        let mut builder = X509Builder::new()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*BigNum::from_u32(number)?.to_asn1_integer()?)?;
        builder.set_subject_name(&*name(subject)?)?;
        builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
        builder.set_not_after(&*Asn1Time::days_from_now(365)?)?;
        builder.set_pubkey(key)?;
        Ok(builder)
    }

    impl super::Chain for OpenSsl {
        fn name(&self) -> String {
            openssl::version::version().split_whitespace().take(2).collect::<Vec<_>>().join(" ")
        }

        fn verify(&mut self, count: usize) -> anyhow::Result<Duration> {
            let run = || {
                let none = Stack::new()?;
                for _ in 0..count {
                    let certificate = X509::from_der(black_box(&self.certificate))?;
                    let mut context = X509StoreContext::new()?;
                    let good = context.init(&self.trusted, &certificate, &none, |context| {
                        context.verify_cert()
                    })?;
                    ensure!(good, "OpenSSL refuses the certificate: {}", context.error());
                }
                Ok(())
            };
            Ok(time(run)?.0)
        }

        fn length(&self) -> usize {
            self.certificate.len()
        }
    }
}
