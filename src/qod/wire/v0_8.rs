//! The shape of 0.8 (CAMARA QoD 0.8.1): words of its own, `ueId`, `asId`, `qos`, `uePorts`, `asPorts`, and no `qosStatus`.
//! Telefónica's 0.8 is the same but for its ports, which a setting narrows.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{self, WirePorts};
use super::body::{self, Rules};
use super::lenient::or_absent;
use super::{Flavour, v0_9};
use crate::private::Private;
use crate::qod::fault::{Fault, Field};
use crate::qod::session::{ApplicationServer, Callback, CreateSession, Device, DeviceIpv4, PortsSpec, SessionInfo};

/// The longest session (schema `CreateSession`), in seconds.
const MAX_DURATION: i64 = 86_400;
/// Schema `QosProfile`.
const PROFILES: [&str; 4] = ["QOS_E", "QOS_S", "QOS_M", "QOS_L"];
/// What a setting asks for in place of 0.8's own callback follows the rules of 0.9.
const RULES: &Rules = &v0_9::RULES;

/// The body of `POST /sessions`.
pub(super) fn create(request: &CreateSession, flavour: Flavour) -> Result<Value, Fault> {
    if !PROFILES.contains(&request.qos_profile.as_str()) {
        return Err(Fault::not_expressible(Field::Profile, "use QOS_E, QOS_S, QOS_M or QOS_L"));
    }
    let Some(device) = &request.device else { return Err(body::no_device()) };
    let mut body = Map::new();
    let ue_id = ue_id(device)?;
    let ports_required = flavour.single_port && ue_id.contains_key("ipv4addr");
    body.insert("ueId".into(), Value::Object(ue_id));
    body.insert("asId".into(), as_id(&request.application_server)?);
    body.insert("qos".into(), json!(request.qos_profile));
    body.insert("duration".into(), json!(body::duration(request.duration_seconds, MAX_DURATION)?));
    match body::ports(0, request.device_ports.as_ref(), flavour)? {
        Some(ports) => {
            body.insert("uePorts".into(), ports);
        }
        None if ports_required => {
            return Err(Fault::not_expressible(Field::Ports, "this provider requires a port of a device that is named by IPv4"));
        }
        None => {}
    }
    if let Some(ports) = body::ports(0, request.application_server_ports.as_ref(), flavour)? {
        body.insert("asPorts".into(), ports);
    }
    if let Some(callback) = &request.callback {
        match body::form(flavour.callback_field) {
            Some(form) => body::callback(&mut body, callback, form, RULES)?,
            None => notification(&mut body, callback)?,
        }
    }
    Ok(Value::Object(body))
}

fn ue_id(device: &Device) -> Result<Map<String, Value>, Fault> {
    let refuse = |why| Err(Fault::not_expressible(Field::Device, why));
    let mut body = Map::new();
    if let Some(number) = &device.phone_number {
        body.insert("msisdn".into(), body::phone_number(number.expose(), false)?);
    }
    if let Some(identifier) = &device.network_access_identifier {
        body.insert("externalId".into(), json!(identifier.expose()));
    }
    if let Some(address) = &device.ipv4_address {
        // Two equal addresses say that there is no NAT (0.9, `DeviceIpv4Addr`).
        let natted = address.private_address.as_ref().is_some_and(|private| private != &address.public_address);
        if natted || address.public_port.is_some() {
            return refuse("a device behind NAT has no name here: use the phone number");
        }
        body.insert("ipv4addr".into(), json!(address.public_address.expose()));
    }
    if let Some(address) = &device.ipv6_address {
        body.insert("ipv6addr".into(), json!(address.expose().to_string()));
    }
    if body.is_empty() { refuse("give at least one identifier") } else { Ok(body) }
}

fn as_id(server: &ApplicationServer) -> Result<Value, Fault> {
    let refuse = |why| Err(Fault::not_expressible(Field::ApplicationServer, why));
    if !server.ip_addresses.is_empty() {
        return refuse("a list of addresses appears in v1.2: use ipv4Address or ipv6Address");
    }
    let mut body = Map::new();
    if let Some(address) = &server.ipv4_address {
        body.insert("ipv4addr".into(), json!(body::ipv4_network(address)?));
    }
    if let Some(address) = &server.ipv6_address {
        body.insert("ipv6addr".into(), json!(body::ipv6_network(address)?));
    }
    if body.is_empty() { refuse("an application server is required: give it an address") } else { Ok(Value::Object(body)) }
}

/// The provider appends `/notifications` to the text of the URL, so that one with a query or a slash at its end would break.
fn notification(body: &mut Map<String, Value>, callback: &Callback) -> Result<(), Fault> {
    let (url, token) = (callback.url.expose(), callback.token.expose());
    if url.ends_with('/') || url.contains(['?', '#']) {
        let why = "the URL must end with its path and no slash: the provider appends /notifications";
        return Err(Fault::not_expressible(Field::Callback, why));
    }
    body.insert("notificationUrl".into(), json!(url));
    if !token.is_empty() {
        body.insert("notificationAuthToken".into(), json!(token));
    }
    Ok(())
}

/// `SessionInfo`'s own words.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSession {
    #[serde(default, deserialize_with = "or_absent")]
    ue_id: Option<WireId>,
    #[serde(default, deserialize_with = "or_absent")]
    as_id: Option<WireId>,
    #[serde(default, deserialize_with = "or_absent")]
    qos: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    ue_ports: Option<WirePorts>,
    #[serde(default, deserialize_with = "or_absent")]
    as_ports: Option<WirePorts>,
    #[serde(default, deserialize_with = "or_absent")]
    notification_url: Option<String>,
    /// The name in 0.8.0.
    #[serde(default, deserialize_with = "or_absent")]
    notification_uri: Option<String>,
}

/// `UeId` and `AsId`.
#[derive(Deserialize)]
struct WireId {
    #[serde(default, deserialize_with = "or_absent")]
    msisdn: Option<String>,
    #[serde(default, deserialize_with = "or_absent", rename = "externalId")]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    ipv4addr: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    ipv6addr: Option<String>,
}

/// The session in an answer, in the words of 0.8 or, since others share its base path, of later ones.
pub(super) fn session(value: Value) -> Option<SessionInfo> {
    let own = WireSession::deserialize(&value).ok()?;
    let mut info = answer::session(value)?;
    info.callback = info.callback.or_else(|| own.notification_url.or(own.notification_uri).map(Private::new));
    let flow = &mut info.flow;
    if let Some(id) = own.ue_id {
        flow.device = Device::from(id);
    }
    if let Some(id) = own.as_id {
        flow.application_server =
            ApplicationServer { ipv4_address: id.ipv4addr, ipv6_address: id.ipv6addr, ip_addresses: Vec::new() };
    }
    flow.qos_profile = own.qos.or(flow.qos_profile.take());
    flow.device_ports = own.ue_ports.map(PortsSpec::from).or(flow.device_ports.take());
    flow.application_server_ports = own.as_ports.map(PortsSpec::from).or(flow.application_server_ports.take());
    Some(info)
}

impl From<WireId> for Device {
    fn from(id: WireId) -> Self {
        let address = |text: String| text.trim_end_matches("/32").parse::<Ipv4Addr>().ok();
        Self {
            phone_number: id.msisdn.map(Private::new),
            network_access_identifier: id.external_id.map(Private::new),
            ipv4_address: id.ipv4addr.and_then(address).map(|address| DeviceIpv4 {
                public_address: Private::new(address),
                private_address: None,
                public_port: None,
            }),
            ipv6_address: id.ipv6addr.and_then(|text| text.parse().ok()).map(Private::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::fault::FaultClass;
    use crate::qod::settings::CallbackField;
    use crate::qod::wire::tests::request;

    fn refused(request: &CreateSession, flavour: Flavour) -> Field {
        match create(request, flavour).unwrap_err().class {
            FaultClass::NotExpressible { field, .. } => field,
            other => panic!("{other:?}"),
        }
    }

    fn by_ipv4(private: Option<&str>, public_port: Option<u16>) -> Device {
        Device {
            ipv4_address: Some(DeviceIpv4 {
                public_address: Private::new("203.0.113.25".parse().unwrap()),
                private_address: private.map(|text| Private::new(text.parse().unwrap())),
                public_port,
            }),
            ..Device::default()
        }
    }

    #[test]
    fn a_device_behind_nat_has_no_name_in_v0_8() {
        let plain = Flavour::default();
        for (private, port) in [(Some("192.0.2.77"), None), (None, Some(59_765)), (Some("203.0.113.25"), Some(59_765))] {
            let request = CreateSession { device: Some(by_ipv4(private, port)), ..request() };
            assert_eq!(refused(&request, plain), Field::Device);
        }
        let bare = CreateSession { device: Some(by_ipv4(None, None)), ..request() };
        assert_eq!(create(&bare, plain).unwrap()["ueId"], json!({"ipv4addr": "203.0.113.25"}));
    }

    #[test]
    fn a_callback_url_that_breaks_when_notifications_is_appended_is_refused() {
        let with = |url: &str| {
            let callback = Callback { url: url.into(), token: "t".into(), token_expires: None };
            CreateSession { callback: Some(callback), ..request() }
        };
        for url in ["https://qos.example.org/n/", "https://qos.example.org/n?a=1", "https://qos.example.org/n#a"] {
            assert_eq!(refused(&with(url), Flavour::default()), Field::Callback, "{url}");
        }
        let body = create(&with("https://qos.example.org/n"), Flavour::default()).unwrap();
        assert_eq!(
            (&body["notificationUrl"], &body["notificationAuthToken"]),
            (&json!("https://qos.example.org/n"), &json!("t"))
        );
        let sink = Flavour { callback_field: CallbackField::Sink, ..Flavour::default() };
        assert!(create(&with("https://qos.example.org/n"), sink).is_err(), "a sink's token needs its end");
    }

    #[test]
    fn a_provider_with_one_port_a_side_requires_one_of_a_device_by_ipv4() {
        let narrow = Flavour { single_port: true, ..Flavour::default() };
        let mut request = CreateSession { device: Some(by_ipv4(None, None)), ..request() };
        assert_eq!(refused(&request, narrow), Field::Ports);
        request.device_ports = Some(PortsSpec { ports: vec![5060], ranges: vec![] });
        assert!(create(&request, narrow).is_ok());
    }

    #[test]
    fn the_flow_is_read_in_its_own_words() {
        let body = json!({
            "id": "s-1", "qos": "QOS_E", "ueId": {"msisdn": "+447700900123", "ipv6addr": "2001:db8::1/64"},
            "asId": {"ipv4addr": "198.51.100.10"}, "asPorts": {"ports": [443]}, "notificationUri": "https://qos.example.org/n",
        });
        let info = session(body).unwrap();
        assert_eq!(info.callback.unwrap().expose(), "https://qos.example.org/n");
        let mut sent = request().flow();
        sent.application_server_ports = Some(PortsSpec { ports: vec![443], ranges: vec![] });
        assert!(info.flow.matches(&sent));
        sent.qos_profile = "QOS_L".into();
        assert!(!info.flow.matches(&sent));
    }
}
