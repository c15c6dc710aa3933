//! Sessions to ask for: a table of representative ones, and any at all.

use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use qos_operator::private::Private;
use qos_operator::qod::{ApplicationServer, Callback, CreateSession, Device, DeviceIpv4, PortRange, PortsSpec};

fn phone(number: &str) -> Device {
    Device { phone_number: Some(number.into()), ..Device::default() }
}

fn ipv4(public: &str, private: Option<&str>, port: Option<u16>) -> DeviceIpv4 {
    DeviceIpv4 {
        public_address: Private::new(public.parse().unwrap()),
        private_address: private.map(|address| Private::new(address.parse().unwrap())),
        public_port: port,
    }
}

fn server(v4: Option<&str>, v6: Option<&str>) -> ApplicationServer {
    ApplicationServer { ipv4_address: v4.map(str::to_owned), ipv6_address: v6.map(str::to_owned), ip_addresses: Vec::new() }
}

fn ports(ports: &[u16], ranges: &[(u16, u16)]) -> PortsSpec {
    let ranges = ranges.iter().map(|(from, to)| PortRange { from: *from, to: *to }).collect();
    PortsSpec { ports: ports.to_vec(), ranges }
}

fn callback(url: &str, token: &str) -> Callback {
    let token_expires = Some("2026-11-25T12:00:00.123Z".parse().unwrap());
    Callback { url: url.into(), token: token.into(), token_expires }
}

/// An ordinary session; the table changes it.
fn ordinary() -> CreateSession {
    CreateSession {
        device: Some(phone("+447700900123")),
        application_server: server(Some("198.51.100.10"), None),
        device_ports: None,
        application_server_ports: None,
        qos_profile: "QOS_E".into(),
        duration_seconds: 3600,
        callback: None,
    }
}

/// Representative sessions, by name.
pub(super) fn table() -> Vec<(&'static str, CreateSession)> {
    let mut table = vec![("ordinary", ordinary())];
    let devices = [
        ("phone without plus", phone("447700900123")),
        ("shortest phone", phone("+44770")),
        ("longest phone", phone("+447700900123456")),
        (
            "network access identifier",
            Device { network_access_identifier: Some("device-1@example.com".into()), ..Device::default() },
        ),
        ("ipv4 and port", Device { ipv4_address: Some(ipv4("203.0.113.25", None, Some(59765))), ..Device::default() }),
        ("ipv4 and port 0", Device { ipv4_address: Some(ipv4("203.0.113.25", None, Some(0))), ..Device::default() }),
        ("ipv4 and private", Device { ipv4_address: Some(ipv4("203.0.113.25", Some("192.0.2.7"), None)), ..Device::default() }),
        ("ipv4 alone", Device { ipv4_address: Some(ipv4("203.0.113.25", None, None)), ..Device::default() }),
        ("ipv6", Device { ipv6_address: Some(Private::new("2001:db8::1:0:0:1".parse().unwrap())), ..Device::default() }),
        ("ipv6 network", Device { ipv6_address: Some(Private::new("2001:db8:0:1::/64".parse().unwrap())), ..Device::default() }),
        ("ipv6 mapped", Device { ipv6_address: Some(Private::new("::ffff:203.0.113.25".parse().unwrap())), ..Device::default() }),
        (
            "every identifier",
            Device {
                phone_number: Some("+447700900123".into()),
                network_access_identifier: Some("device-1@example.com".into()),
                ipv4_address: Some(ipv4("203.0.113.25", Some("192.0.2.7"), Some(65535))),
                ipv6_address: Some(Private::new("2001:db8::".parse().unwrap())),
            },
        ),
    ];
    table.extend(devices.map(|(name, device)| (name, CreateSession { device: Some(device), ..ordinary() })));
    table.push(("device by the token", CreateSession { device: None, ..ordinary() }));
    table.push(("device without identifiers", CreateSession { device: Some(Device::default()), ..ordinary() }));
    let servers = [
        ("v4 subnet", server(Some("198.51.100.10/24"), None)),
        ("v6 server", server(None, Some("2001:db8:85a3::8a2e:370:7344"))),
        ("v6 subnet", server(None, Some("2001:db8:85a3::/64"))),
        ("v6 server in capitals", server(None, Some("2001:DB8:85A3:0:0:0:0:1"))),
        ("both families", server(Some("198.51.100.10"), Some("2001:db8::10"))),
        ("everything", server(Some("0.0.0.0/0"), Some("::/0"))),
        (
            "list of servers",
            ApplicationServer {
                ip_addresses: vec!["198.51.100.10".into(), "2001:db8::10".into()],
                ..ApplicationServer::default()
            },
        ),
    ];
    table.extend(servers.map(|(name, application_server)| (name, CreateSession { application_server, ..ordinary() })));
    for (name, spec) in [
        ("one port", ports(&[5060], &[])),
        ("ports and ranges", ports(&[5060, 5070], &[(5010, 5020), (6000, 6000)])),
        ("extreme ports", ports(&[1, 65535], &[(1, 65535)])),
        ("port 0", ports(&[0], &[(0, 1)])),
        ("no ports in it", ports(&[], &[])),
    ] {
        table
            .push((name, CreateSession { device_ports: Some(spec.clone()), application_server_ports: Some(spec), ..ordinary() }));
    }
    let others = [
        ("shortest", CreateSession { duration_seconds: 1, ..ordinary() }),
        ("a day", CreateSession { duration_seconds: 86_400, ..ordinary() }),
        ("more than a day", CreateSession { duration_seconds: 86_401, ..ordinary() }),
        ("longest", CreateSession { duration_seconds: i64::from(i32::MAX), ..ordinary() }),
        ("longer than an int32", CreateSession { duration_seconds: i64::from(i32::MAX) + 1, ..ordinary() }),
        ("another profile", CreateSession { qos_profile: "voice-1.0_x".into(), ..ordinary() }),
        ("shortest profile", CreateSession { qos_profile: "Q_1".into(), ..ordinary() }),
        ("too short a profile", CreateSession { qos_profile: "Q1".into(), ..ordinary() }),
        ("longest profile", CreateSession { qos_profile: "Q".repeat(256), ..ordinary() }),
        ("too long a profile", CreateSession { qos_profile: "Q".repeat(257), ..ordinary() }),
        (
            "callback",
            CreateSession {
                callback: Some(callback("https://events.example.com/v1/events/n1", "0123456789abcdefghij")),
                ..ordinary()
            },
        ),
        (
            "callback with the longest token",
            CreateSession { callback: Some(callback("https://events.example.com/e?a=b", &"t".repeat(256))), ..ordinary() },
        ),
        (
            "callback over http",
            CreateSession { callback: Some(callback("http://events.example.com/e", "0123456789abcdefghij")), ..ordinary() },
        ),
    ];
    table.extend(others);
    table
}

fn any_ipv4() -> impl Strategy<Value = DeviceIpv4> {
    let address = (any::<std::net::Ipv4Addr>(), option_of(any::<std::net::Ipv4Addr>()), option_of(any::<u16>()));
    address.prop_map(|(public, private, port)| DeviceIpv4 {
        public_address: Private::new(public),
        private_address: private.map(Private::new),
        public_port: port,
    })
}

fn any_device() -> impl Strategy<Value = Device> {
    let phone = prop_oneof![4 => "\\+[1-9][0-9]{4,14}", 2 => "[0-9]{4,16}", 1 => "\\+?0?[0-9 ]{1,20}"];
    let identifier = prop_oneof![3 => "[a-z0-9]{1,12}@[a-z]{1,8}\\.example", 1 => "\\PC{0,30}"];
    let address = any_ipv4();
    let ipv6 = (any::<std::net::Ipv6Addr>(), prop_oneof![3 => Just(128u8), 1 => 0..=128u8])
        .prop_map(|(address, length)| Private::new(format!("{address}/{length}").parse().unwrap()));
    (option_of(phone), option_of(identifier), option_of(address), option_of(ipv6)).prop_map(|(phone, identifier, v4, v6)| {
        Device {
            phone_number: phone.map(Private::new),
            network_access_identifier: identifier.map(Private::new),
            ipv4_address: v4,
            ipv6_address: v6,
        }
    })
}

fn option_of<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    proptest::option::of(strategy)
}

fn any_server() -> impl Strategy<Value = ApplicationServer> {
    let v4 = prop_oneof![
        3 => any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
        3 => (any::<std::net::Ipv4Addr>(), 0..=32u8).prop_map(|(address, mask)| format!("{address}/{mask}")),
        1 => "[0-9./]{1,20}",
    ];
    let v6 = prop_oneof![
        3 => any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string()),
        3 => (any::<std::net::Ipv6Addr>(), 0..=128u8).prop_map(|(address, mask)| format!("{address}/{mask}")),
        1 => any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string().to_uppercase()),
        1 => "[0-9a-fA-F:./]{1,50}",
    ];
    let single = prop_oneof![
        any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string()),
    ];
    let list = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(single, 1..20)];
    (option_of(v4), option_of(v6), list).prop_map(|(ipv4_address, ipv6_address, ip_addresses)| {
        // A list and a subnet beside each other are refused by all generations; hardly ever worth a try.
        if ip_addresses.len() > 2 {
            ApplicationServer { ip_addresses, ..ApplicationServer::default() }
        } else {
            ApplicationServer { ipv4_address, ipv6_address, ip_addresses }
        }
    })
}

fn any_ports() -> impl Strategy<Value = Option<PortsSpec>> {
    let range = prop_oneof![
        4 => (any::<u16>(), any::<u16>()).prop_map(|(one, other)| PortRange { from: one.min(other), to: one.max(other) }),
        1 => (0..9u16, 0..9u16).prop_map(|(from, to)| PortRange { from, to }),
    ];
    let port = prop_oneof![6 => any::<u16>(), 1 => Just(0)];
    let spec = (proptest::collection::vec(port, 0..4), proptest::collection::vec(range, 0..3));
    option_of(spec.prop_map(|(ports, ranges)| PortsSpec { ports, ranges }))
}

fn any_callback() -> impl Strategy<Value = Option<Callback>> {
    let url = prop_oneof![
        4 => "https://[a-z]{1,10}\\.example/[a-z0-9/]{0,20}",
        1 => "http://[a-z]{1,10}\\.example/[a-z0-9/]{0,20}",
    ];
    let token = prop_oneof![4 => "[!-~]{20,60}", 1 => "[!-~]{0,300}"];
    let expires = prop_oneof![4 => Just(Some(1_800_000_000_i64)), 1 => Just(None)];
    let callback = (url, token, expires).prop_map(|(url, token, expires)| Callback {
        url: Private::new(url),
        token: Private::new(token),
        token_expires: expires.map(|second| Timestamp::from_second(second).unwrap()),
    });
    option_of(callback)
}

/// A session that most generations can express, one way or another.
fn plain_session() -> impl Strategy<Value = CreateSession> {
    let device = prop_oneof![
        3 => "\\+[1-9][0-9]{4,14}".prop_map(|number| phone(&number)),
        1 => "[a-z0-9]{1,12}@[a-z]{1,8}\\.example".prop_map(|identifier| Device {
            network_access_identifier: Some(Private::new(identifier)),
            ..Device::default()
        }),
        1 => any_ipv4().prop_map(|address| Device { ipv4_address: Some(address), ..Device::default() }),
        1 => any::<std::net::Ipv6Addr>().prop_map(|address| Device {
            ipv6_address: Some(Private::new(address.to_string().parse().unwrap())),
            ..Device::default()
        }),
    ];
    let ports = || {
        let one = any::<u16>().prop_map(|port| Some(PortsSpec { ports: vec![port], ranges: Vec::new() }));
        prop_oneof![2 => Just(None), 2 => one, 1 => any_ports()]
    };
    (device, any_server(), ports(), ports(), "QOS_[ESML]", 1..=86_400i64, any_callback()).prop_map(
        |(device, application_server, device_ports, application_server_ports, qos_profile, duration_seconds, callback)| {
            CreateSession {
                device: Some(device),
                application_server,
                device_ports,
                application_server_ports,
                qos_profile,
                duration_seconds,
                callback,
            }
        },
    )
}

/// Any session: most of them can be asked for, some cannot.
pub(super) fn any_session() -> impl Strategy<Value = CreateSession> {
    prop_oneof![2 => plain_session(), 1 => wild_session()]
}

/// A session of which hardly any part is sure to be expressible.
fn wild_session() -> impl Strategy<Value = CreateSession> {
    let profile = prop_oneof![4 => "QOS_[ESML]", 3 => "[a-zA-Z0-9_.-]{3,40}", 1 => "[a-zA-Z0-9_.-]{0,300}", 1 => "\\PC{0,9}"];
    let duration = prop_oneof![
        6 => 1..=86_400i64,
        2 => 86_401..=i64::from(i32::MAX),
        1 => prop_oneof![Just(0), Just(-1), Just(i64::from(i32::MAX) + 1), any::<i64>()],
    ];
    let ports = || any_ports();
    (proptest::option::weighted(0.9, any_device()), any_server(), ports(), ports(), profile, duration, any_callback()).prop_map(
        |(device, application_server, device_ports, application_server_ports, qos_profile, duration_seconds, callback)| {
            CreateSession {
                device,
                application_server,
                device_ports,
                application_server_ports,
                qos_profile,
                duration_seconds,
                callback,
            }
        },
    )
}
