//! The rules of `QosSession`, one by one.

use serde_json::{Value, json};

use super::{Case, admitted, check, refused, session};

const E164: &str = "write a phone number in E.164 form, in quotes: a plus sign, the country code, the number, no spaces \
                    (\"+346666666xx\")";
const ONE_IPV4: &str = "must be one IPv4 address, without a mask";
const ONE_IPV6: &str = "must be one IPv6 address, without a prefix length";
const IPV4_OR_CIDR: &str = "must be an IPv4 address or CIDR, such as 198.51.100.7 or 198.51.100.0/24";
const IPV6_OR_CIDR: &str = "must be an IPv6 address or CIDR, such as 2001:db8::7 or 2001:db8::/64";

fn device(device: impl Into<Value>) -> Value {
    session(json!({ "device": device.into() }))
}

fn server(server: impl Into<Value>) -> Value {
    session(json!({ "applicationServer": server.into() }))
}

#[tokio::test]
async fn a_device_is_named_by_at_least_one_identifier_in_its_own_form() {
    let phone = |number: &str| device(json!({ "phoneNumber": number }));
    let identifier = |identifier: &str| device(json!({ "networkAccessIdentifier": identifier }));
    let ipv6 = |address: &str| device(json!({ "ipv6Address": address }));
    let from = json!({"secretKeyRef": {"name": "camera-12", "key": "phone-number"}});
    let longest = format!("{}@example.com", "u".repeat(241));
    let too_long = format!("{}@example.com", "u".repeat(242));

    check(refused(
        "spec.device",
        "name the device by at least one of phoneNumber, phoneNumberFrom, networkAccessIdentifier, ipv4Address, ipv6Address",
        [device(json!({})), device(json!({"phoneNumber": null, "ipv6Address": null}))],
    ))
    .await;
    check(refused(
        "spec.device",
        "set phoneNumber or phoneNumberFrom, not both",
        [device(json!({"phoneNumber": "+447700900112", "phoneNumberFrom": from}))],
    ))
    .await;
    check(refused(
        "spec.device.phoneNumber",
        E164,
        ["447700900112", "+44 7700900112", "tel:+447700900", "+0447700900112", "+4477", "+44770090011a", ""].map(phone),
    ))
    .await;
    check(refused("spec.device.phoneNumber", "Too long: may not be more than 16", [phone("+4477009001120000")])).await;
    check(refused(
        "spec.device.networkAccessIdentifier",
        "write a network access identifier as user@realm, without spaces",
        ["user 7@example.com", "@example.com", "camera@", "user@example.com@example.org", "user\t7"].map(identifier),
    ))
    .await;
    // Too short, and not of its form: two messages at one field.
    check(refused("spec.device.networkAccessIdentifier", "", [identifier("")])).await;
    check(refused("spec.device.networkAccessIdentifier", "Too long: may not be more than 253", [identifier(&too_long)])).await;
    check(refused(
        "spec.device.ipv6Address",
        ONE_IPV6,
        ["2001:db8::1/64", "203.0.113.25", "::ffff:203.0.113.25", "fe80::1%eth0", "2001:db8::g", "localhost"].map(ipv6),
    ))
    .await;
    check(admitted(
        ["+44770", "+447700900112", "+447700900112000"]
            .map(phone)
            .into_iter()
            .chain([device(json!({ "phoneNumberFrom": from }))])
            .chain(["u", "user@example.com", &longest].map(identifier))
            .chain(["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8:85a3:08d3:1319:8a2e:0370:7344"].map(ipv6))
            .chain([device(
                json!({"phoneNumber": "+447700900112", "networkAccessIdentifier": null, "ipv6Address": "2001:db8::1"}),
            )]),
    ))
    .await;
}

#[tokio::test]
async fn an_ipv4_device_needs_a_port_or_its_private_address() {
    let ipv4 = |address: Value| device(json!({ "ipv4Address": address }));
    let public = |address: &str| ipv4(json!({"publicAddress": address, "publicPort": 8080}));
    let private = |address: &str| ipv4(json!({"publicAddress": "203.0.113.25", "privateAddress": address}));
    let port = |port: i64| ipv4(json!({"publicAddress": "203.0.113.25", "publicPort": port}));
    let not_one = ["203.0.113.0/24", "203.0.113.025", "203.0.113.256", "203.0.113", "2001:db8::1", ""];

    check(refused(
        "spec.device.ipv4Address",
        "a public IPv4 address alone does not identify a device: add publicPort, or privateAddress (the same address where there is \
         no NAT)",
        [
            ipv4(json!({"publicAddress": "203.0.113.25"})),
            ipv4(json!({"publicAddress": "203.0.113.25", "publicPort": null, "privateAddress": null})),
        ],
    ))
    .await;
    check(refused("spec.device.ipv4Address.publicAddress", ONE_IPV4, not_one.map(public))).await;
    check(refused("spec.device.ipv4Address.privateAddress", ONE_IPV4, not_one.map(private))).await;
    check(refused(
        "spec.device.ipv4Address.publicAddress",
        "Required value",
        [ipv4(json!({"privateAddress": "192.0.2.26", "publicPort": 8080}))],
    ))
    .await;
    check(refused("spec.device.ipv4Address.publicPort", "should be greater than or equal to 1", [port(0)])).await;
    check(refused("spec.device.ipv4Address.publicPort", "should be less than or equal to 65535", [port(65536)])).await;
    check(admitted([
        port(1),
        port(65535),
        private("203.0.113.25"),
        ipv4(json!({"publicAddress": "203.0.113.25", "privateAddress": "192.0.2.26", "publicPort": 59765})),
    ]))
    .await;
}

#[tokio::test]
async fn an_application_server_is_an_address_of_each_family_or_a_list() {
    let ipv4 = |address: &str| server(json!({ "ipv4Address": address }));
    let ipv6 = |address: &str| server(json!({ "ipv6Address": address }));
    let list = |addresses: &[&str]| server(json!({ "ipAddresses": addresses }));
    let sixteen: Vec<_> = (1..=16).map(|host| format!("198.51.100.{host}")).collect();
    let sixteen: Vec<_> = sixteen.iter().map(String::as_str).collect();
    let seventeen: Vec<_> = sixteen.iter().copied().chain(["198.51.100.17"]).collect();

    check(refused(
        "spec.applicationServer",
        "name the application server by ipv4Address, ipv6Address or ipAddresses",
        [server(json!({})), server(json!({"ipv4Address": null, "ipv6Address": null, "ipAddresses": null}))],
    ))
    .await;
    check(refused(
        "spec.applicationServer",
        "ipAddresses stands alone: do not set ipv4Address or ipv6Address beside it",
        [
            server(json!({"ipAddresses": ["198.51.100.7"], "ipv4Address": "198.51.100.7"})),
            server(json!({"ipAddresses": ["198.51.100.7"], "ipv6Address": "2001:db8::7"})),
        ],
    ))
    .await;
    check(refused(
        "spec.applicationServer.ipv4Address",
        IPV4_OR_CIDR,
        ["media.example.com", "2001:db8::7", "198.51.100.0/33", "198.51.100.07", "198.51.100.7-9", ""].map(ipv4),
    ))
    .await;
    check(refused(
        "spec.applicationServer.ipv6Address",
        IPV6_OR_CIDR,
        ["media.example.com", "198.51.100.7", "2001:db8::/129", "::ffff:198.51.100.7", "2001:db8::7%eth0", ""].map(ipv6),
    ))
    .await;
    check(refused(
        "spec.applicationServer.ipAddresses[1]",
        "must be one IPv4 or IPv6 address, without a mask",
        [list(&["198.51.100.7", "198.51.100.0/24"]), list(&["198.51.100.7", "media.example.com"])],
    ))
    .await;
    check(refused(
        "spec.applicationServer.ipAddresses",
        "must not repeat an address",
        [list(&["198.51.100.7", "2001:db8::7", "198.51.100.7"])],
    ))
    .await;
    check(refused("spec.applicationServer.ipAddresses", "should have at least 1 items", [list(&[])])).await;
    check(refused("spec.applicationServer.ipAddresses", "must have at most 16 items", [list(&seventeen)])).await;
    check(admitted(
        ["198.51.100.7", "198.51.100.7/24", "0.0.0.0/0", "198.51.100.255/32"]
            .map(ipv4)
            .into_iter()
            .chain(["2001:db8::7", "2001:DB8::/64", "::/0"].map(ipv6))
            .chain([list(&["2001:db8::7"]), list(&sixteen)])
            .chain([server(json!({"ipv4Address": "198.51.100.0/24", "ipv6Address": "2001:db8::/64"}))]),
    ))
    .await;
}

#[tokio::test]
async fn ports_are_single_ones_ranges_or_both_at_either_end() {
    for (field, at, port_0, range_0, ports, ranges) in [
        (
            "devicePorts",
            "spec.devicePorts",
            "spec.devicePorts.ports[0]",
            "spec.devicePorts.ranges[0]",
            "spec.devicePorts.ports",
            "spec.devicePorts.ranges",
        ),
        (
            "applicationServerPorts",
            "spec.applicationServerPorts",
            "spec.applicationServerPorts.ports[0]",
            "spec.applicationServerPorts.ranges[0]",
            "spec.applicationServerPorts.ports",
            "spec.applicationServerPorts.ranges",
        ),
    ] {
        let set = |value: Value| session(json!({ field: value }));
        let range = |from: i64, to: i64| json!({"from": from, "to": to});
        let hundred: Vec<_> = (1..=100).collect();
        let hundred_and_one: Vec<_> = (1..=101).collect();
        let ranges_of = |ports: &[i64]| -> Vec<_> { ports.iter().map(|&port| range(port, port)).collect() };

        check(refused(
            at,
            "set ports, ranges or both; omit the whole field for all ports",
            [set(json!({})), set(json!({"ports": null, "ranges": null}))],
        ))
        .await;
        check(refused(port_0, "should be greater than or equal to 1", [set(json!({"ports": [0]}))])).await;
        check(refused(port_0, "should be less than or equal to 65535", [set(json!({"ports": [65536]}))])).await;
        check(refused(range_0, "from must not be greater than to", [set(json!({"ranges": [range(5061, 5060)]}))])).await;
        check(refused(ports, "must not repeat a port", [set(json!({"ports": [5060, 5061, 5060]}))])).await;
        check(refused(ports, "should have at least 1 items", [set(json!({"ports": []}))])).await;
        check(refused(ranges, "should have at least 1 items", [set(json!({"ranges": []}))])).await;
        check(refused(ports, "must have at most 100 items", [set(json!({ "ports": hundred_and_one }))])).await;
        check(refused(ranges, "must have at most 100 items", [set(json!({ "ranges": ranges_of(&hundred_and_one) }))])).await;
        check(admitted([
            set(Value::Null),
            set(json!({"ports": [1, 65535]})),
            set(json!({"ranges": [range(1, 65535)], "ports": null})),
            set(json!({"ranges": [range(5060, 5060)]})),
            set(json!({ "ports": hundred, "ranges": ranges_of(&hundred) })),
        ]))
        .await;
    }
    let half = session(json!({"devicePorts": {"ranges": [{"from": 5060}]}}));
    check(refused("spec.devicePorts.ranges[0].to", "Required value", [half])).await;
    for (end, at) in [("from", "spec.devicePorts.ranges[0].from"), ("to", "spec.devicePorts.ranges[0].to")] {
        let mut range = json!({"from": 5060, "to": 5060});
        range[end] = json!(if end == "from" { 0 } else { 65536 });
        let message =
            if end == "from" { "should be greater than or equal to 1" } else { "should be less than or equal to 65535" };
        check(refused(at, message, [session(json!({"devicePorts": {"ranges": [range]}}))])).await;
    }
}

#[tokio::test]
async fn a_duration_is_required_where_the_session_is_to_end() {
    let end = "durationSeconds is required when renewalPolicy is Never: it says how long the session runs";
    let unended = session(json!({"renewalPolicy": "Never"}));
    check(refused("spec.durationSeconds", end, [unended.clone()])).await;
    let refusal = super::Server::shared().await.dry_run(&unended.to_string()).await.err().unwrap();
    assert!(refusal.text.contains("spec.durationSeconds: Required value: durationSeconds is required"), "{}", refusal.text);

    let lasting = |seconds: i64| session(json!({ "durationSeconds": seconds }));
    check(refused("spec.durationSeconds", "should be greater than or equal to 1", [lasting(0), lasting(-1)])).await;
    check(refused("spec.durationSeconds", "should be less than or equal to 2147483647", [lasting(2_147_483_648)])).await;
    check(admitted([
        lasting(1),
        lasting(2_147_483_647),
        session(json!({"renewalPolicy": "Never", "durationSeconds": 60})),
        session(json!({"renewalPolicy": "Always"})),
        session(json!({"renewalPolicy": null, "durationSeconds": null})),
    ]))
    .await;
}

#[tokio::test]
async fn names_and_policies_are_those_of_their_lists() {
    let profile = |name: &str| session(json!({ "qosProfile": name }));
    let provider = |name: &str| session(json!({"providerRef": {"name": name}}));
    let secret = |name: &str, key: &str| device(json!({"phoneNumberFrom": {"secretKeyRef": {"name": name, "key": key}}}));
    let (longest, too_long) = ("q".repeat(256), "q".repeat(257));
    let (long_name, too_long_name) = ("n".repeat(253), "n".repeat(254));
    let pattern = r"should match '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'";
    let key_field = "spec.device.phoneNumberFrom.secretKeyRef.key";
    let name_field = "spec.device.phoneNumberFrom.secretKeyRef.name";

    check(refused("spec.qosProfile", "should be at least 3 chars long", [profile("QE")])).await;
    check(refused("spec.qosProfile", "should match '^[a-zA-Z0-9_.-]+$'", [profile("QOS E"), profile("QOS/E")])).await;
    check(refused("spec.qosProfile", "Too long: may not be more than 256", [profile(&too_long)])).await;
    check(refused("spec.providerRef.name", pattern, ["Telefonica", "-a", "a-", "a_b"].map(provider))).await;
    check(refused("spec.providerRef.name", "Too long: may not be more than 253", [provider(&too_long_name)])).await;
    check(refused("spec.providerRef.name", "Required value", [session(json!({"providerRef": {}}))])).await;
    check(refused(name_field, pattern, [secret("Camera", "key")])).await;
    check(refused(key_field, "should match '^[-._a-zA-Z0-9]+$'", [secret("camera", "phone/number")])).await;
    check(refused(key_field, "Too long: may not be more than 253", [secret("camera", &too_long_name)])).await;
    check(refused(key_field, "should be at least 1 chars long", [secret("camera", "")])).await;
    check(admitted([
        profile("QoS"),
        profile("voice.low-latency_1"),
        profile(&longest),
        provider("telefonica-sandbox"),
        provider("a"),
        provider(&long_name),
        session(json!({ "providerRef": null })),
        secret("camera-12.v2", "Phone_number-1.txt"),
    ]))
    .await;

    for (field, at, message, values) in [
        ("renewalPolicy", "spec.renewalPolicy", r#"supported values: "Always", "Never""#, ["Always", "always"]),
        ("recoveryPolicy", "spec.recoveryPolicy", r#"supported values: "Recreate", "Never""#, ["Never", "Always"]),
        ("deletionPolicy", "spec.deletionPolicy", r#"supported values: "Delete", "Orphan""#, ["Orphan", "Retain"]),
    ] {
        let [known, unknown] = values.map(|value| session(json!({ field: value })));
        check(admitted([known])).await;
        check(refused(at, message, [unknown])).await;
    }
}

#[tokio::test]
async fn what_is_required_is_asked_for_and_what_has_another_type_is_refused() {
    for (field, at) in
        [("device", "spec.device"), ("applicationServer", "spec.applicationServer"), ("qosProfile", "spec.qosProfile")]
    {
        let mut object = session(json!({}));
        object["spec"].as_object_mut().unwrap().remove(field);
        check(vec![Case { object, expected: super::Expected::Refused { field: at, message: "Required value" } }]).await;
    }
    for (changes, at, message) in [
        (json!({"device": {"phoneNumber": 447_700_900_112_i64}}), "spec.device.phoneNumber", "must be of type string"),
        (json!({"device": {"ipv4Address": "203.0.113.25"}}), "spec.device.ipv4Address", "must be of type object"),
        (json!({"devicePorts": [5060]}), "spec.devicePorts", "must be of type object"),
        (json!({"durationSeconds": "1h"}), "spec.durationSeconds", "must be of type integer"),
        (json!({"providerRef": "telefonica"}), "spec.providerRef", "must be of type object"),
        (json!({"suspend": "yes"}), "spec.suspend", "must be of type boolean"),
    ] {
        check(refused(at, message, [session(changes)])).await;
    }
}
