//! Identities and their files.

use data_encoding::BASE64URL_NOPAD;

use crate::world::World;

#[test]
fn an_identity_has_a_private_and_a_public_file() {
    let world = World::new();
    let told = world.json("identity new lamp --valid 30d");
    assert_eq!(told["name"], "lamp");
    assert_eq!(world.mode("lamp.identity"), 0o600);
    assert_ne!(world.mode("lamp.certificate") & 0o044, 0);
    let shown = world.json("identity show lamp.certificate");
    assert_eq!(shown["id"], told["id"]);
    assert_eq!(world.json("identity show lamp.identity"), shown);
    assert_eq!(shown["certificate"], world.text("lamp.certificate"));
    let comment = format!("# id {}", told["id"].as_str().unwrap());
    assert!(world.read("lamp.certificate").contains(&comment));
}

#[test]
fn files_are_not_overwritten_without_force() {
    let world = World::new();
    world.ok("identity new lamp");
    let before = world.read("lamp.identity");
    assert!(world.fails(2, "identity new lamp").contains("--force"));
    assert_eq!(world.read("lamp.identity"), before);
    // Not even when only the public half is there.
    std::fs::remove_file(world.path("lamp.identity")).unwrap();
    world.fails(2, "identity new lamp");
    assert!(!world.path("lamp.identity").exists());
    world.ok("identity new lamp --force");
    assert_ne!(world.read("lamp.identity"), before);
}

#[test]
fn a_private_file_that_others_can_read_is_refused() {
    let world = World::new();
    world.ok("identity new lab");
    world.ok("identity new lamp");
    world.set_mode("lab.identity", 0o644);
    let endorse = "endorse --issuer lab.identity --subject lamp.certificate --roles device \
                   --rights data";
    let complaint = world.fails(2, endorse);
    assert!(complaint.contains("chmod 600 lab.identity"), "{complaint}");
    world.set_mode("lab.identity", 0o600);
    world.ok(endorse);
}

#[test]
fn renewal_keeps_the_id_and_says_that_endorsements_are_due() {
    let world = World::new();
    let old = world.json("identity new lamp --valid 1d");
    let renewed = world.json("identity renew lamp.identity --valid 2d");
    assert_eq!(renewed["id"], old["id"]);
    assert_ne!(renewed["fingerprint"], old["fingerprint"]);
    assert_eq!(world.mode("lamp.identity"), 0o600);
    assert_eq!(world.text("lamp.certificate"), renewed["certificate"].as_str().unwrap());
    assert!(world.ok("identity renew lamp.identity").contains("endorse"));
}

#[test]
fn a_certificate_can_be_pasted_and_piped() {
    let world = World::new();
    world.ok("identity new lamp");
    let by_file = world.ok("identity show lamp.certificate");
    assert_eq!(world.ok(&format!("identity show {}", world.text("lamp.certificate"))), by_file);
    let piped = world.run_with_input("identity show -", &world.read("lamp.certificate"));
    assert_eq!((piped.code, piped.stdout), (0, by_file));
}

#[test]
fn what_is_pasted_wrong_is_named() {
    let world = World::new();
    world.ok("identity new lab");
    world.ok("identity new lamp");
    world.ok(
        "endorse --issuer lab.identity --subject lamp.certificate --roles device --rights data \
         --out lamp.endorsement",
    );
    let endorsement = world.text("lamp.endorsement");
    let complaint = world.fails(2, &format!("identity show {endorsement}"));
    assert!(
        complaint.contains("this is an endorsement; a certificate was expected"),
        "{complaint}"
    );
    // Nor is it the mode of a certificate that is wrong with it as an identity.
    let complaint = world.fails(
        2,
        "endorse --issuer lab.certificate --subject lamp.certificate --roles device --rights data",
    );
    assert!(complaint.contains("a private identity was expected"), "{complaint}");
    let certificate = world.text("lamp.certificate");
    let prefix = "iot-crypto:certificate:";
    let bytes = BASE64URL_NOPAD.decode(&certificate.as_bytes()[prefix.len()..]).unwrap();
    let (cut, longer) = (&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat());
    for (bytes, problem) in [(cut, "ends in the middle"), (longer, "left over")] {
        let damaged = format!("{prefix}{}", BASE64URL_NOPAD.encode(bytes));
        let complaint = world.fails(2, &format!("identity show {damaged}"));
        assert!(complaint.contains(problem), "{complaint}");
    }
    let broken = certificate.replacen(":certificate:", ":certificate:!", 1);
    let complaint = world.fails(2, &format!("identity show {broken}"));
    assert!(complaint.contains("base64 is broken at character 1"), "{complaint}");
    world.write("foreign.certificate", "-----BEGIN CERTIFICATE-----\n");
    let complaint = world.fails(2, "identity show foreign.certificate");
    assert!(complaint.contains("iot-crypto:certificate:"), "{complaint}");
}

#[test]
fn a_changed_certificate_is_refused() {
    let world = World::new();
    world.ok("identity new lamp");
    let certificate = world.text("lamp.certificate");
    // The last but some of the characters: within the signature.
    let at = certificate.len() - 10;
    let other = if &certificate[at..=at] == "A" { "B" } else { "A" };
    let changed = format!("{}{other}{}", &certificate[..at], &certificate[at + 1..]);
    let complaint = world.fails(3, &format!("identity show {changed}"));
    assert!(complaint.contains("not signed with its own key"), "{complaint}");
}

#[test]
fn a_private_identity_is_not_taken_from_the_command_line() {
    let world = World::new();
    world.ok("identity new lab");
    world.ok("identity new lamp");
    let pasted = world.text("lab.identity");
    let rest = "--subject lamp.certificate --roles device --rights data";
    let complaint = world.fails(2, &format!("endorse --issuer {pasted} {rest}"));
    assert!(complaint.contains("others can see it"), "{complaint}");
    let piped = world.run_with_input(&format!("endorse --issuer - {rest}"), &pasted);
    assert_eq!(piped.code, 0, "{}", piped.stderr);
}

#[test]
fn mistakes_in_the_arguments_and_missing_files_have_their_exit_codes() {
    let world = World::new();
    world.fails(2, "identity");
    world.fails(2, "identity new lamp --valid 5");
    world.fails(2, "identity new lamp --valid 0s");
    world.fails(2, &format!("identity new {}", "x".repeat(33)));
    assert!(world.fails(4, "identity show nothing.certificate").contains("nothing.certificate"));
    world.fails(4, "identity new lamp --dir nowhere");
    assert!(world.ok("--help").contains("Exit codes:"));
    world.ok("--version");
}

#[test]
fn every_command_has_help_with_an_example() {
    let world = World::new();
    let commands = [
        "network new",
        "network rotate",
        "network show",
        "identity new",
        "identity show",
        "identity renew",
        "endorse",
        "trust add",
        "trust remove",
        "trust list",
        "trust check",
        "revoke",
        "check",
    ];
    for command in commands {
        let help = world.ok(&format!("{command} --help"));
        assert!(help.contains("Example"), "{command}");
        assert!(help.contains(&format!("iot-crypto {command} ")), "{command}");
    }
}
