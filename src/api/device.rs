//! The flow that a session is for: device, application server, and the ports at both ends.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::rules;
use crate::private::Private;

/// The device, by at least one identifier. With several, all must name the same device, and the provider picks one.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "has(self.phoneNumber) || has(self.phoneNumberFrom) || has(self.networkAccessIdentifier) || has(self.ipv4Address) || \
         has(self.ipv6Address)"
    ).message(
        "name the device by at least one of phoneNumber, phoneNumberFrom, networkAccessIdentifier, ipv4Address, ipv6Address"
    ),
    validation = Rule::new("!(has(self.phoneNumber) && has(self.phoneNumberFrom))")
        .message("set phoneNumber or phoneNumberFrom, not both"),
    validation = Rule::new("!has(self.phoneNumber) || self.phoneNumber.matches('^[+][1-9][0-9]{4,14}$')")
        .field_path(".phoneNumber")
        .message(
            "write a phone number in E.164 form, in quotes: a plus sign, the country code, the number, no spaces \
             (\"+346666666xx\")"
        ),
    validation = Rule::new(
        "!has(self.networkAccessIdentifier) || self.networkAccessIdentifier.matches('^[^[:space:]@]+(@[^[:space:]@]+)?$')"
    )
        .field_path(".networkAccessIdentifier")
        .message("write a network access identifier as user@realm, without spaces"),
    validation = rules::optional_address("ipv6Address", 6),
)]
pub struct Device {
    /// Phone number in E.164 form: a plus sign, the country code, the number, no spaces. Quote it: YAML reads a plus sign and
    /// digits as an integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub phone_number: Option<Private<String>>,

    /// Phone number from a Secret of this object's namespace, so that it does not stand in the object. Instead of `phoneNumber`.
    /// It is read when a session is created; a changed Secret counts from the next creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number_from: Option<PhoneNumberSource>,

    /// Network access identifier (RFC 7542), `user@realm`. API version v0.8 sends it as `externalId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub network_access_identifier: Option<Private<String>>,

    /// IPv4 address of the device as the application server sees it, with a port or the private address behind the NAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_address: Option<Ipv4Device>,

    /// IPv6 address of the device, one of its own addresses. Compared and sent in canonical lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 45))]
    pub ipv6_address: Option<Private<String>>,
}

/// Where a phone number is read from.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneNumberSource {
    /// A key of a Secret in this object's namespace. Surrounding white space is ignored.
    pub secret_key_ref: SecretKeyRef,
}

/// One key of a Secret.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::NAME))]
    pub name: String,

    /// Key in the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::SECRET_KEY))]
    pub key: String,
}

/// An IPv4 address of a device. CAMARA's `DeviceIpv4Addr`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.privateAddress) || has(self.publicPort)").message(
        "a public IPv4 address alone does not identify a device: add publicPort, or privateAddress (the same address where there \
         is no NAT)"
    ),
    validation = rules::address("publicAddress", 4),
    validation = rules::optional_address("privateAddress", 4),
)]
pub struct Ipv4Device {
    /// The address that the application server sees: the NAT's, or the device's own where there is none.
    #[schemars(length(max = 15))]
    pub public_address: Private<String>,

    /// The device's own address behind the NAT; the same as `publicAddress` where there is no NAT. API version v0.8 does not
    /// send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 15))]
    pub private_address: Option<Private<String>>,

    /// The device's source port as the application server sees it. API version v0.8 does not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub public_port: Option<i32>,
}

/// The server at the other end of the flow: an IPv4 address or subnet, an IPv6 address or subnet, or both; or a list of addresses.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.ipv4Address) || has(self.ipv6Address) || has(self.ipAddresses)")
        .message("name the application server by ipv4Address, ipv6Address or ipAddresses"),
    validation = Rule::new("!has(self.ipAddresses) || !(has(self.ipv4Address) || has(self.ipv6Address))")
        .message("ipAddresses stands alone: do not set ipv4Address or ipv6Address beside it"),
)]
pub struct ApplicationServer {
    /// IPv4 address, or subnet in CIDR notation. Host bits are allowed and sent as written; flows are compared by the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18))]
    #[x_kube(validation = rules::address_or_subnet(4))]
    pub ipv4_address: Option<String>,

    /// IPv6 address, or subnet in CIDR notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 49))]
    #[x_kube(validation = rules::address_or_subnet(6))]
    pub ipv6_address: Option<String>,

    /// Up to 16 single addresses of either family, alone in this object. Needs a provider of API version v1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(max = 45)), transform = each_item_is_an_address)]
    #[x_kube(validation = rules::no_repetition("an address"), merge_strategy = ListMerge::Atomic)]
    pub ip_addresses: Option<Vec<String>>,
}

/// S12. The derive has no rules for the items of a list of strings.
fn each_item_is_an_address(list: &mut Schema) {
    if let Some(items) = list.get_mut("items").and_then(serde_json::Value::as_object_mut) {
        let rule = serde_json::json!([{ "rule": "isIP(self)", "message": "must be one IPv4 or IPv6 address, without a mask" }]);
        items.insert("x-kubernetes-validations".to_owned(), rule);
    }
}

/// A set of ports: single ports, ranges or both. CAMARA's `PortsSpec`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.ports) || has(self.ranges)")
    .message("set ports, ranges or both; omit the whole field for all ports"))]
pub struct PortsSpec {
    /// Single ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), inner(range(min = 1, max = 65535)))]
    #[x_kube(validation = rules::no_repetition("a port"), merge_strategy = ListMerge::Atomic)]
    pub ports: Option<Vec<i32>>,

    /// Ranges of ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub ranges: Option<Vec<PortRange>>,
}

/// A range of ports, both ends included.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("self.from <= self.to").message("from must not be greater than to"))]
pub struct PortRange {
    /// First port.
    #[schemars(range(min = 1, max = 65535))]
    pub from: i32,

    /// Last port.
    #[schemars(range(min = 1, max = 65535))]
    pub to: i32,
}
