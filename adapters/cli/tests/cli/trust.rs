//! Endorsements, trust and revocation.

use crate::world::World;

/// A company, and a lamp that it endorsed as a device; `hall.trust` lists the
/// company.
fn lab_with_lamp() -> World {
    let world = World::new();
    world.ok("identity new lab");
    world.ok("identity new lamp");
    world.ok("endorse --issuer lab.identity --subject lamp.certificate --roles device \
         --rights data,alert --valid 30d --out lamp.endorsement");
    world.ok("trust add hall.trust lab.certificate --authority full");
    world
}

const CHECK: &str = "trust check hall.trust lamp.certificate lamp.endorsement --role device";

#[test]
fn what_is_endorsed_is_trusted() {
    let world = lab_with_lamp();
    let answer = world.json(CHECK);
    assert_eq!(answer["trusted"], true);
    assert_eq!(answer["rights"], "data, alert");
    assert!(world.ok(CHECK).contains("lamp is trusted as device"));
    let comment = world.read("lamp.endorsement");
    assert!(comment.contains("# endorsement of lamp ("), "{comment}");
    assert!(comment.contains("# by lab ("), "{comment}");
}

#[test]
fn what_is_not_trusted_is_refused_with_the_reason() {
    let world = lab_with_lamp();
    let refused = |line: &str| {
        let outcome = world.run(&format!("{line} --json"));
        assert_eq!(outcome.code, 3, "{line}\n{}", outcome.stderr);
        let answer: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(answer["trusted"], false);
        answer["reason"].as_str().unwrap().to_owned()
    };
    let bare = "trust check hall.trust lamp.certificate --role device";
    assert!(refused(bare).contains("no party on the list"));
    assert!(refused(&CHECK.replace("device", "gateway")).contains("does not grant the role"));
    assert!(refused(&format!("{CHECK} --at 2020-01-01")).contains("not valid yet"));
    assert!(refused(&format!("{CHECK} --at 2999-01-01")).contains("expired"));
}

#[test]
fn an_endorsement_counts_for_one_certificate_only() {
    let world = lab_with_lamp();
    world.ok("identity renew lamp.identity --valid 10d");
    world.fails(3, CHECK);
    let hold = "trust add hall.trust --endorsement lamp.endorsement --subject lamp.certificate";
    assert!(world.fails(3, hold).contains("renewed"));
}

#[test]
fn an_endorsement_can_be_printed_and_pasted() {
    let world = lab_with_lamp();
    let printed = world
        .ok("endorse --issuer lab.identity --subject lamp.certificate --roles device,gateway \
         --rights all");
    world.write("redirected.endorsement", &printed);
    let pasted = world.text("redirected.endorsement");
    let check = format!("trust check hall.trust lamp.certificate {pasted} --role gateway");
    assert_eq!(world.json(&check)["rights"], "data, command, alert, revoke, keys");
}

#[test]
fn a_held_endorsement_need_not_be_shown() {
    let world = lab_with_lamp();
    let bare = "trust check hall.trust lamp.certificate --role device";
    world.fails(3, bare);
    let hold = "trust add hall.trust --endorsement lamp.endorsement --subject lamp.certificate";
    world.ok(hold);
    world.ok(hold);
    world.ok(bare);
    let listed = world.json("trust list hall.trust");
    assert_eq!(listed["endorsements"].as_array().unwrap().len(), 1, "held once");
    assert_eq!(listed["endorsements"][0]["effective"], true);
}

#[test]
fn a_party_that_is_taken_off_the_list_is_no_longer_believed() {
    let world = lab_with_lamp();
    world.ok("identity new partner");
    world.ok("trust add hall.trust partner.certificate");
    world.ok("trust remove hall.trust lab");
    world.fails(3, CHECK);
    let listed = world.json("trust list hall.trust");
    assert_eq!(listed["parties"][0]["name"], "partner");
    assert_eq!(listed["parties"][0]["authority"], "endorse");
    world.fails(2, "trust remove hall.trust lab");
    let id = listed["parties"][0]["id"].as_str().unwrap().to_owned();
    world.ok(&format!("trust remove hall.trust {id}"));
    assert!(world.ok("trust list hall.trust").contains("trusts nobody"));
}

#[test]
fn a_name_that_two_parties_have_is_not_enough_to_remove_one() {
    let world = World::new();
    for directory in ["one", "two"] {
        std::fs::create_dir(world.path(directory)).unwrap();
        world.ok(&format!("identity new lab --dir {directory}"));
        world.ok(&format!("trust add hall.trust {directory}/lab.certificate"));
    }
    let complaint = world.fails(2, "trust remove hall.trust lab");
    assert!(complaint.contains("one of their ids"), "{complaint}");
    assert_eq!(world.json("trust list hall.trust")["parties"].as_array().unwrap().len(), 2);
}

#[test]
fn adding_a_party_again_changes_its_authority() {
    let world = lab_with_lamp();
    world.ok("trust add hall.trust lab.certificate");
    let listed = world.json("trust list hall.trust");
    assert_eq!(listed["parties"].as_array().unwrap().len(), 1);
    assert_eq!(listed["parties"][0]["authority"], "endorse");
}

#[test]
fn what_is_revoked_is_not_trusted() {
    let world = lab_with_lamp();
    world.ok(CHECK);
    world.ok("revoke --issuer lab.identity --subject lamp.certificate --store hall.trust \
         --out lamp.revocation");
    let outcome = world.run(CHECK);
    assert_eq!(outcome.code, 3);
    assert!(outcome.stdout.contains("revoked"), "{}", outcome.stdout);
    let listed = world.json("trust list hall.trust");
    assert_eq!(listed["revocations"][0]["issuer"], "lab");
    // A second time changes nothing.
    world.ok("trust add hall.trust --revocation lamp.revocation");
    assert_eq!(world.json("trust list hall.trust")["revocations"].as_array().unwrap().len(), 1);
}

#[test]
fn a_partner_can_not_cut_off_the_devices_of_others() {
    let world = lab_with_lamp();
    world.ok("identity new partner");
    world.ok("trust add hall.trust partner.certificate");
    world.ok("revoke --issuer partner.identity --subject lamp.certificate --store hall.trust");
    world.ok(CHECK);
    world.ok("trust add hall.trust partner.certificate --authority full");
    world.fails(3, CHECK);
    // A party can be revoked by its id, without its certificate.
    let id = world.json("identity show lab.certificate")["id"].as_str().unwrap().to_owned();
    world.ok(&format!("revoke --issuer partner.identity --subject {id} --store hall.trust"));
    assert!(world.run(CHECK).stdout.contains("revoked"));
}

#[test]
fn a_stranger_can_not_revoke() {
    let world = lab_with_lamp();
    world.ok("identity new stranger");
    let before = world.read("hall.trust");
    let revoke = "revoke --issuer stranger.identity --subject lamp.certificate";
    assert!(world.fails(2, &format!("{revoke} --store hall.trust")).contains("not on the list"));
    assert_eq!(world.read("hall.trust"), before);
    let printed = world.ok(revoke);
    world.write("stranger.revocation", &printed);
    let added = world.run("trust add hall.trust --revocation stranger.revocation");
    assert!(added.stderr.contains("no effect"), "{}", added.stderr);
    world.ok(CHECK);
}

#[test]
fn comments_in_a_trust_file_survive_its_changes() {
    let world = lab_with_lamp();
    let text = world.read("hall.trust");
    world.write("hall.trust", &format!("# Ask Anna first.\n\n{text}\n# The end.\n"));
    world.ok("identity new partner");
    world.ok("trust add hall.trust partner.certificate");
    world.ok("trust add hall.trust lab.certificate");
    world.ok(CHECK);
    for party in ["lab", "partner"] {
        world.ok(&format!("trust remove hall.trust {party}"));
        let text = world.read("hall.trust");
        assert!(text.starts_with("# Ask Anna first.\n\n"), "{text}");
        assert!(!text.contains(&format!("# {party}")), "{text}");
        assert!(text.ends_with("# The end.\n"), "{text}");
    }
}

#[test]
fn mistakes_in_a_trust_file_are_told_with_their_place() {
    let world = lab_with_lamp();
    world.ok("identity new other");
    let (lab, lamp) = (world.text("lab.certificate"), world.text("lamp.endorsement"));
    let other = world.text("other.certificate");
    let party = format!("[[party]]\ncertificate = \"{lab}\"\nauthority = \"full\"\n");
    let cases = [
        ("[[party]\n".to_owned(), ":1:"),
        (party.replace("full", "half"), ":3:13: "),
        (party.replace(":certificate:", ":endorsement:"), ":2:15: "),
        (party.replace("authority", "autority"), ":3:1: "),
        (format!("{party}{party}"), ":5:15: "),
        (
            format!("{party}[[endorsement]]\nsubject = \"{other}\"\nendorsement = \"{lamp}\"\n"),
            ":6:15: the endorsement is not for this certificate",
        ),
        (format!("{party}[[revocation]]\nrevocation = \"{lamp}\"\n"), ":5:14: this is an"),
    ];
    for (text, place) in cases {
        world.write("bad.trust", &text);
        let complaint = world.fails(2, "trust list bad.trust");
        assert!(complaint.contains(&format!("bad.trust{place}")), "{complaint}\n{text}");
        world.fails(2, "trust add bad.trust other.certificate");
        assert_eq!(world.read("bad.trust"), text, "it is left as it was");
    }
}

#[test]
fn the_arguments_say_one_thing_to_add() {
    let world = lab_with_lamp();
    world.fails(2, "trust add hall.trust");
    world.fails(2, "trust add hall.trust --endorsement lamp.endorsement");
    world.fails(2, "trust add hall.trust lab.certificate --revocation x");
    world.fails(4, "trust list nothing.trust");
    world.fails(2, "trust check hall.trust lamp.certificate --role lamp");
}

#[test]
fn a_revocation_that_was_changed_on_its_way_is_refused() {
    let world = lab_with_lamp();
    world.ok("revoke --issuer lab.identity --subject lamp.certificate --out lamp.revocation");
    let good = world.text("lamp.revocation");
    let at = good.len() - 10;
    let other = if &good[at..=at] == "A" { "B" } else { "A" };
    let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
    let complaint = world.fails(3, &format!("trust add hall.trust --revocation {changed}"));
    assert!(complaint.contains("lab did not sign this revocation"), "{complaint}");
    let trust = world.read("hall.trust");
    world.write("hall.trust", &format!("{trust}[[revocation]]\nrevocation = \"{changed}\"\n"));
    let line = trust.lines().count() + 2;
    let complaint = world.fails(2, CHECK);
    assert!(complaint.contains(&format!("hall.trust:{line}:14: the signature")), "{complaint}");
}

#[test]
fn changes_at_the_same_time_are_all_kept() {
    let world = World::new();
    let parties: Vec<_> = (0..6).map(|number| format!("party{number}")).collect();
    for party in &parties {
        world.ok(&format!("identity new {party}"));
    }
    std::thread::scope(|scope| {
        let world = &world;
        for party in &parties {
            scope.spawn(move || world.ok(&format!("trust add hall.trust {party}.certificate")));
        }
    });
    let listed = world.json("trust list hall.trust");
    assert_eq!(listed["parties"].as_array().unwrap().len(), parties.len());
}
