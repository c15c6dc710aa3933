//! Requests in the words of each form, written by hand from the documents: neither our client nor the simulator has a part in them.

use qos_operator::qod::Generation;
use serde_json::{Map, Value, json};

use super::specs::{Form, Origin};

/// The words of a form.
#[derive(Clone, Copy)]
pub(super) struct Words(pub(super) Form);

impl Words {
    fn generation(self) -> Generation {
        self.0.generation
    }

    fn telefonica(self) -> bool {
        self.0.origin == Origin::Telefonica
    }

    /// 0.8, which has words of its own.
    pub(super) fn first(self) -> bool {
        self.generation() == Generation::V0_8
    }

    /// The name of a field of a creation, by its name since 0.9.
    pub(super) fn field(self, name: &str) -> &str {
        match name {
            "device" if self.first() => "ueId",
            "applicationServer" if self.first() => "asId",
            "devicePorts" if self.first() => "uePorts",
            "applicationServerPorts" if self.first() => "asPorts",
            "qosProfile" if self.first() => "qos",
            name => name,
        }
    }

    pub(super) fn session_id(self) -> &'static str {
        if self.first() { "id" } else { "sessionId" }
    }

    pub(super) fn phone(self, number: &str) -> Value {
        if self.first() { json!({"msisdn": number}) } else { json!({"phoneNumber": number}) }
    }

    pub(super) fn network_access(self, identifier: &str) -> Value {
        if self.first() { json!({"externalId": identifier}) } else { json!({"networkAccessIdentifier": identifier}) }
    }

    pub(super) fn ipv4(self, address: &str, port: u16) -> Value {
        if self.first() {
            json!({"ipv4addr": address})
        } else {
            json!({"ipv4Address": {"publicAddress": address, "publicPort": port}})
        }
    }

    pub(super) fn ipv6(self, address: &str) -> Value {
        if self.first() { json!({"ipv6addr": address}) } else { json!({"ipv6Address": address}) }
    }

    pub(super) fn server(self, v4: Option<&str>, v6: Option<&str>) -> Value {
        let names = if self.first() { ["ipv4addr", "ipv6addr"] } else { ["ipv4Address", "ipv6Address"] };
        let fields = names.into_iter().zip([v4, v6]).filter_map(|(name, address)| Some((name.to_owned(), json!(address?))));
        Value::Object(fields.collect())
    }

    /// A creation for a phone, with `changes` (by the names since 0.9; null takes a field out).
    pub(super) fn order(self, phone: &str, changes: &Value) -> Value {
        let mut fields = Map::new();
        fields.insert("device".into(), self.phone(phone));
        fields.insert("applicationServer".into(), self.server(Some("198.51.100.10"), None));
        fields.insert("qosProfile".into(), json!("QOS_E"));
        fields.insert("duration".into(), json!(600));
        for (name, value) in changes.as_object().into_iter().flatten() {
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
        Value::Object(fields.into_iter().map(|(name, value)| (self.field(&name).to_owned(), value)).collect())
    }

    /// The fields that say where events go.
    pub(super) fn callback(self, url: &str, token: &str) -> Value {
        let sink = self.generation() >= Generation::V0_11 && !self.telefonica();
        if self.first() {
            json!({"notificationUrl": url, "notificationAuthToken": token})
        } else if sink {
            json!({"sink": url, "sinkCredential": {
                "credentialType": "ACCESSTOKEN",
                "accessToken": token,
                "accessTokenExpiresUtc": "2100-01-01T00:00:00Z",
                "accessTokenType": "bearer",
            }})
        } else {
            json!({"webhook": {"notificationUrl": url, "notificationAuthToken": token}})
        }
    }

    /// Creations that every provider takes, each for a device of its own, beside that of a phone alone.
    pub(super) fn good_orders(self) -> Vec<Value> {
        let mut changes = vec![
            json!({"device": self.ipv6("2001:db8:1::1")}),
            json!({"device": self.ipv4("203.0.113.1", 50_001), "devicePorts": {"ports": [5060]}}),
            json!({"applicationServer": self.server(None, Some("2001:db8:85a3::8a2e:370:7344"))}),
            json!({"applicationServer": self.server(Some("198.51.100.10"), Some("2001:db8::10"))}),
            json!({"applicationServerPorts": {"ports": [443]}}),
            json!({"duration": 86_400}),
            json!({"duration": 1}),
            self.callback("https://events.example.com/v1/e/n", "0123456789abcdefghijklmn"),
        ];
        if !(self.first() && self.telefonica()) {
            changes.push(json!({
                "devicePorts": {"ports": [5060, 5070], "ranges": [{"from": 5010, "to": 5020}]},
                "applicationServerPorts": {"ranges": [{"from": 1, "to": 65_535}]},
            }));
        }
        changes.push(json!({"applicationServer": self.server(Some("198.51.100.0/24"), Some("2001:db8:1::/64"))}));
        if self.first() {
            changes.push(json!({"device": self.ipv6("2001:db8:3::/64")}));
        } else {
            changes.push(json!({"device": {"ipv4Address": {"publicAddress": "203.0.113.2", "privateAddress": "192.0.2.2"}}}));
        }
        if self.generation() == Generation::V1_2 {
            changes.push(json!({"applicationServer": {"ipAddresses": ["198.51.100.10", "2001:db8::10"]}}));
            // Two identifiers: one of them is answered.
            changes.push(json!({"device": {"phoneNumber": "+447700900990", "ipv6Address": "2001:db8:2::1"}}));
        }
        let orders = changes.iter().enumerate().map(|(index, change)| self.order(&format!("+4477009001{index:02}"), change));
        orders.collect()
    }

    /// Creations that break the schema or a rule of the generation.
    pub(super) fn bad_orders(self) -> Vec<Value> {
        let device = |value: Value| json!({"device": value});
        let mut changes = vec![
            json!({"applicationServer": null}),
            json!({"qosProfile": null}),
            json!({"qosProfile": 5}),
            json!({"qosProfile": "no such profile"}),
            json!({"qosProfile": "QOS_NONE"}),
            json!({"duration": 0}),
            json!({"duration": -1}),
            json!({"duration": "600"}),
            json!({"duration": 1.5}),
            json!({"applicationServer": {}}),
            json!({"applicationServer": self.server(Some("198.51.100.300"), None)}),
            device(json!({})),
            device(json!("+447700900123")),
            device(self.phone("+44 7700 900123")),
            device(self.phone("123")),
            device(self.ipv6("2001:db8::zz")),
            json!({"devicePorts": {}}),
            json!({"devicePorts": {"ports": []}}),
            json!({"devicePorts": {"ports": [65_536]}}),
            json!({"devicePorts": {"ports": [-1]}}),
        ];
        if !(self.first() && self.telefonica()) {
            changes.push(json!({"devicePorts": {"ranges": [{"from": 1}]}}));
        }
        if self.generation() <= Generation::V0_10 || self.telefonica() {
            changes.push(json!({"device": null}));
        }
        if self.generation() <= Generation::V0_10 {
            changes.push(json!({"duration": 86_401}));
        } else {
            changes.push(json!({"duration": null}));
        }
        if !self.first() {
            changes.push(device(json!({"ipv4Address": {"publicAddress": "203.0.113.1"}})));
            changes.push(device(json!({"ipv4Address": {"publicAddress": "203.0.113.1", "publicPort": 70_000}})));
        }
        if self.generation() >= Generation::V0_11 && !self.telefonica() {
            changes.push(device(self.phone("447700900123")));
            changes.push(json!({"sink": "no URL"}));
            for credential in [
                json!({"credentialType": "PLAIN", "identifier": "a", "secret": "b"}),
                json!({"credentialType": "REFRESHTOKEN"}),
                json!({"credentialType": "ACCESSTOKEN"}),
                json!({}),
            ] {
                changes.push(json!({"sink": "https://events.example.com/e", "sinkCredential": credential}));
            }
        } else if !self.first() {
            changes.push(json!({"webhook": {}}));
            changes
                .push(json!({"webhook": {"notificationUrl": "https://events.example.com/e", "notificationAuthToken": "short"}}));
        }
        if self.generation() >= Generation::V1_1 && !self.telefonica() {
            changes.push(json!({"sink": "http://events.example.com/e"}));
        }
        if self.generation() >= Generation::V0_11 {
            changes.push(json!({"duration": 2_147_483_648_i64}));
        }
        if self.generation() == Generation::V1_2 {
            changes.push(json!({"more": 1}));
            changes.push(device(json!({"phoneNumber": "+447700900123", "more": 1})));
            changes.push(json!({"devicePorts": {"ports": [5060], "more": 1}}));
            changes.push(json!({"applicationServer": {"ipAddresses": []}}));
            changes.push(json!({"applicationServer": {"ipAddresses": ["198.51.100.10", "198.51.100.10"]}}));
            changes.push(json!({"applicationServer": {"ipAddresses": ["198.51.100.0/24"]}}));
            changes.push(json!({"applicationServer": {"ipAddresses": ["198.51.100.1"], "ipv4Address": "198.51.100.1"}}));
            changes.push(json!({"applicationServer": {"ipv4Address": "198.51.100.1", "more": 1}}));
            changes.push(json!({"applicationServerPorts": {"ports": [0]}}));
            let key = json!({"credentialType": "PRIVATE_KEY_JWT", "clientId": "c", "tokenUri": "https://auth.example.com/token"});
            changes.push(json!({"sink": "https://events.example.com/e", "sinkCredential": key}));
        }
        changes.iter().map(|change| self.order("+447700900199", change)).collect()
    }
}
