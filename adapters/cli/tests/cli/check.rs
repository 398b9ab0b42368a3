//! The configurations of the roles, and the mistakes in them.

use crate::world::World;

const PARTY: &str = r#"identity = "lamp.identity"
endorsements = ["lamp.endorsement"]
trust = "lamp.trust"
network = "lab.network"
"#;

const DEVICE: &str = r#"
gateway = "192.0.2.7:4441"
ephemeral = true
sleepy = false
clock = "gateway"
state = "lamp.state"
retry = "2s"
retry_limit = "5m"
[listen]
discovery_port = 4440
path_mtu = 1280
ipv4 = true
ipv6 = true
[[sensor]]
label = "processor load"
source = "load"
[[sensor]]
label = "received"
source = "bytes-received"
interface = "lo"
[[actuator]]
label = "switch"
kind = "state"
initial = false
[[actuator]]
label = "log"
kind = "run"
command = ["true", "--", "{value}"]
timeout = "3s"
[[alert]]
label = "processor load"
above = 3.5
hysteresis = 0.5
every = "1s"
severity = "warning"
text = "the processor is busy"
"#;

const GATEWAY: &str = r#"
negotiation_port = 4441
transmission_port = 4442
bind = ["0.0.0.0", "::"]
path_mtu = 1280
max_devices = 10000
cookies = "under-load"
[advertise]
every = "5s"
interfaces = ["eth0"]
unicast = ["192.0.2.9:4440"]
port = 4440
[cloud]
address = "203.0.113.5:4451"
[poll]
every = "10s"
labels = ["switch"]
[rotation]
age = "24h"
records = 1000000
"#;

const CLOUD: &str = r#"
negotiation_port = 4451
transmission_port = 4452
bind = ["127.0.0.1"]
max_gateways = 100
cookies = "always"
[rotation]
age = "1h"
"#;

fn check(world: &World, role: &str, text: &str) -> String {
    world.write("role.toml", &format!("{PARTY}{text}"));
    world.fails(2, &format!("check {role} role.toml"))
}

/// Checks that `mistake` in the place of `right` is told at its (last) line, with
/// a complaint that contains `problem`.
fn expect(world: &World, role: &str, text: &str, right: &str, mistake: &str, problem: &str) {
    assert_eq!(text.matches(right).count(), 1, "{right}");
    let complaint = check(world, role, &text.replace(right, mistake));
    let offset = text.find(right).unwrap() + right.rfind('\n').map_or(0, |end| end + 1);
    let line = PARTY.lines().count() + text[..offset].matches('\n').count() + 1;
    let place = format!("role.toml:{line}:");
    assert!(complaint.contains(&place), "{place}\n{complaint}");
    assert!(complaint.contains(problem), "{problem}\n{complaint}");
}

#[test]
fn configurations_without_mistakes_are_accepted() {
    let world = World::with_lamp();
    for (role, text) in [("device", DEVICE), ("gateway", GATEWAY), ("cloud", CLOUD)] {
        for text in [text, ""] {
            world.write("role.toml", &format!("{PARTY}{text}"));
            let told = world.json(&format!("check {role} role.toml"));
            assert_eq!(told["name"], "lamp");
            assert_eq!(told["trusted_parties"], 1);
        }
    }
}

#[test]
fn names_of_files_are_relative_to_the_configuration() {
    let world = World::with_lamp();
    std::fs::create_dir(world.path("etc")).unwrap();
    let text = PARTY.replace("\"l", "\"../l");
    world.write("etc/device.toml", &text);
    world.ok("check device etc/device.toml");
    world.write("etc/device.toml", PARTY);
    let complaint = world.fails(2, "check device etc/device.toml");
    assert!(complaint.contains("relative to the directory"), "{complaint}");
}

#[test]
fn mistakes_in_a_device() {
    let world = World::with_lamp();
    let expect =
        |right, mistake, problem| expect(&world, "device", DEVICE, right, mistake, problem);
    expect("192.0.2.7:4441", "gateway.example", "not an IP address with a port");
    expect("192.0.2.7:4441", "192.0.2.7:0", "not an IP address with a port");
    expect("clock = \"gateway\"", "clock = \"sun\"", "unknown variant");
    expect("sleepy = false", "sleeepy = false", "unknown field `sleeepy`");
    expect("sleepy = false", "sleepy = 1", "invalid type");
    expect("lamp.state", "nowhere/lamp.state", "make it first");
    expect("retry = \"2s\"", "retry = \"0s\"", "can't be zero");
    expect("retry = \"2s\"", "retry = \"2\"", "such as");
    expect("retry_limit = \"5m\"", "retry_limit = \"1s\"", "shorter than retry");
    expect("discovery_port = 4440", "discovery_port = 0", "from 1 to 65535");
    expect("path_mtu = 1280", "path_mtu = 255", "from 256 to 65535");
    expect("path_mtu = 1280", "path_mtu = 65536", "from 256 to 65535");
    expect("ipv4 = true\nipv6 = true", "ipv4=false\nipv6=false", "can't both be off");
    expect("\"received\"", "\"\"", "can't be empty");
    expect("\"received\"", "\"seventeen bytes !\"", "shorten it to 16");
    expect("\"received\"", "\"processor load\"", "another sensor or actuator");
    expect("\"switch\"", "\"received\"", "another sensor or actuator");
    expect("source = \"load\"", "source = \"mood\"", "unknown variant");
    expect("interface = \"lo\"", "component = \"x\"", "only temperature has a component");
    expect("initial = false", "initial = [1]", "a state is true or false");
    expect("\"true\", ", "\"/nonexistent/program\", ", "there is no program");
    expect("[\"true\", \"--\", \"{value}\"]", "[]", "its first element is the program");
    expect("timeout = \"3s\"", "timeout = \"0s\"", "can't be zero");
    expect("above = 3.5", "above = 3.5\nbelow = 4.0", "always be");
    expect("above = 3.5", "above = nan", "can't be NaN");
    expect("hysteresis = 0.5", "hysteresis = -0.5", "can't be less than 0");
    expect("every = \"1s\"", "every = \"0s\"", "can't be zero");
    expect("severity = \"warning\"", "severity = \"bad\"", "unknown variant");
}

#[test]
fn mistakes_about_parts_that_belong_together() {
    let world = World::with_lamp();
    let alert = "[[alert]]\nlabel = \"heat\"\nabove = 1.0\n";
    let complaint = check(&world, "device", alert);
    assert!(complaint.contains("role.toml:6:9: there is no sensor 'heat'"), "{complaint}");
    let complaint = check(&world, "device", &DEVICE.replace("above = 3.5\n", ""));
    assert!(complaint.contains("has no limit"), "{complaint}");
    let complaint = check(&world, "device", &DEVICE.replace("initial = false\n", ""));
    assert!(complaint.contains("needs a value to begin with"), "{complaint}");
    let long = "x".repeat(65);
    let complaint = check(&world, "device", &DEVICE.replace("the processor is busy", &long));
    assert!(complaint.contains("shorten it to 64"), "{complaint}");
}

#[test]
fn mistakes_in_a_gateway() {
    let world = World::with_lamp();
    let expect =
        |right, mistake, problem| expect(&world, "gateway", GATEWAY, right, mistake, problem);
    expect("negotiation_port = 4441", "negotiation_port = 0", "from 1 to 65535");
    expect("transmission_port = 4442", "transmission_port = 4441", "can't have port 4441");
    expect("transmission_port = 4442", "transmission_port = -1", "from 1 to 65535");
    expect("[\"0.0.0.0\", \"::\"]", "[]", "at least one");
    expect("[\"0.0.0.0\", \"::\"]", "[\"0.0.0.0\", \"0.0.0.0\"]", "twice");
    expect("[\"0.0.0.0\", \"::\"]", "[\"localhost\"]", "not an IP address");
    expect("path_mtu = 1280", "path_mtu = 128", "from 256 to 65535");
    expect("max_devices = 10000", "max_devices = 0", "from 1 to");
    expect("\"under-load\"", "\"sometimes\"", "unknown variant");
    expect("every = \"5s\"", "every = \"0s\"", "can't be zero");
    expect("[\"eth0\"]", "[\"\"]", "can't be empty");
    expect("192.0.2.9:4440", "192.0.2.9", "not an IP address with a port");
    expect("\nport = 4440", "\nport = 99999", "from 1 to 65535");
    expect("203.0.113.5:4451", "cloud.example:4451", "not an IP address with a port");
    expect("every = \"10s\"", "every = \"0 s\"", "can't be zero");
    expect("[\"switch\"]", "[\"\"]", "can't be empty");
    expect("[\"switch\"]", "['1','2','3','4','5','6','7','8','9']", "more than 8 labels");
    expect("records = 1000000", "records = 0", "from 1 to");
    expect("age = \"24h\"", "age = \"0s\"", "can't be zero");
    expect("age = \"24h\"", "agee = \"24h\"", "unknown field");
}

#[test]
fn mistakes_in_a_cloud() {
    let world = World::with_lamp();
    let expect = |right, mistake, problem| expect(&world, "cloud", CLOUD, right, mistake, problem);
    expect("max_gateways = 100", "max_gateways = 0", "from 1 to");
    expect("max_gateways = 100", "max_devices = 100", "unknown field");
    expect("transmission_port = 4452", "transmission_port = 4451", "can't have port 4451");
    expect("age = \"1h\"", "age = \"an hour\"", "such as");
}

#[test]
fn mistakes_in_what_every_role_names() {
    let world = World::with_lamp();
    let complain = |text: &str| {
        world.write("role.toml", text);
        world.fails(2, "check gateway role.toml")
    };
    let complaint = complain(&PARTY.replace("lamp.identity", "nothing.identity"));
    assert!(complaint.contains("role.toml:1:12: can't read nothing.identity"), "{complaint}");
    assert!(complaint.contains("iot-crypto identity new"), "{complaint}");
    let complaint = complain(&PARTY.replace("lamp.identity", "lamp.certificate"));
    assert!(complaint.contains("role.toml:1:12: "), "{complaint}");
    let complaint = complain(&PARTY.replace("lamp.endorsement", "lamp.certificate"));
    assert!(complaint.contains("role.toml:2:17: "), "{complaint}");
    assert!(complaint.contains("this is a certificate; an endorsement was expected"));
    let five = [r#""lamp.endorsement""#; 5].join(", ");
    let complaint = complain(&PARTY.replace(r#""lamp.endorsement""#, &five));
    assert!(complaint.contains("role.toml:2:97: at most 4"), "{complaint}");
    let complaint = complain(&PARTY.replace("trust = \"lamp.trust\"\n", ""));
    assert!(complaint.contains("missing field `trust`"), "{complaint}");
    world.write("bad.trust", "[[party]]\n");
    let complaint = complain(&PARTY.replace("lamp.trust", "bad.trust"));
    assert!(complaint.contains("role.toml:3:9: "), "{complaint}");
    assert!(complaint.contains("bad.trust:1:1: "), "{complaint}");
    world.set_mode("lamp.identity", 0o604);
    world.set_mode("lab.network", 0o660);
    let complaint = complain(PARTY);
    assert!(complaint.contains("role.toml:1:12: lamp.identity is private"), "{complaint}");
    assert!(complaint.contains("chmod 600 lamp.identity"), "{complaint}");
    assert!(complaint.contains("role.toml:4:11: "), "all mistakes at once: {complaint}");
    world.fails(4, "check gateway nothing.toml");
}

#[test]
fn a_text_may_stand_in_the_place_of_a_file() {
    let world = World::with_lamp();
    let pasted = PARTY.replace("lamp.endorsement", &world.text("lamp.endorsement"));
    world.write("role.toml", &pasted);
    world.ok("check device role.toml");
}
