//! The scenarios that end in an error.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::super::Selection;
use super::super::super::generation::Generation;
use super::super::super::settings::DurationCode;
use super::meaning::Scenario;
use super::steps::{Ask, PHONE, UNSERVED, Verdict, World};

impl World {
    /// Plays one of them.
    #[expect(clippy::too_many_lines, reason = "an arm for each scenario")]
    pub(super) async fn refusal(&self, feature: &str, scenario: Scenario, ask: Ask, id: &str) -> Verdict {
        let first = self.generation == Generation::V0_11;
        let later = |early: &'static str, later: &'static str| if first { early } else { later };
        let device = |device: Value| ask.clone().with(json!({"device": device}));
        let bad = ["INVALID_ARGUMENT"];
        let all = |asks: Vec<Ask>, codes: &'static [&'static str]| async move {
            for ask in asks {
                self.refused(&ask, 400, codes).await.map_err(|why| format!("{why} for {:?}", ask.body))?;
            }
            Ok(())
        };
        let with_url = |change: &dyn Fn(&str) -> String| Ask { url: change(&ask.url), ..ask.clone() };
        match scenario {
            Scenario::EmptyDevice => self.refused(&device(json!({})), 400, &bad).await,
            Scenario::MalformedDevice => {
                let wrong = [
                    json!({"phoneNumber": "447700900112"}),
                    json!({"ipv4Address": {"publicAddress": "203.0.113.7"}}),
                    json!({"ipv6Address": "2001:db8::/64"}),
                    json!({"networkAccessIdentifier": 5}),
                ];
                all(wrong.into_iter().map(device).collect(), &["INVALID_ARGUMENT"]).await
            }
            Scenario::UnknownDevice => {
                let code = later("DEVICE_NOT_FOUND", "IDENTIFIER_NOT_FOUND");
                self.refused(&device(json!({"phoneNumber": "+447700900999"})), 404, &[code]).await
            }
            Scenario::UnnecessaryDevice => self.refused(&ask.by("three-legged"), 422, &["UNNECESSARY_IDENTIFIER"]).await,
            Scenario::MissingDevice => {
                let code = later("UNIDENTIFIABLE_DEVICE", "MISSING_IDENTIFIER");
                self.refused(&ask.with(json!({"device": null})), 422, &[code]).await
            }
            Scenario::UnsupportedDevice => {
                let code = later("UNSUPPORTED_DEVICE_IDENTIFIERS", "UNSUPPORTED_IDENTIFIER");
                self.refused(&device(json!({"ipv6Address": "2001:db8:0:1::5"})), 422, &[code]).await?;
                if first {
                    return Ok(());
                }
                self.refused(&device(json!({"networkAccessIdentifier": "1@example.com"})), 422, &[code]).await
            }
            Scenario::NoService => {
                let code = later("DEVICE_NOT_APPLICABLE", "SERVICE_NOT_APPLICABLE");
                self.refused(&device(json!({"phoneNumber": UNSERVED})), 422, &[code]).await
            }
            Scenario::Mismatch => {
                let two = json!({"phoneNumber": PHONE, "ipv4Address": {"publicAddress": "203.0.113.7", "publicPort": 59765}});
                self.refused(&device(two), 422, &[later("DEVICE_IDENTIFIERS_MISMATCH", "IDENTIFIER_MISMATCH")]).await
            }
            Scenario::TokenContext => self.refused(&ask.by("of-other-device"), 403, &["INVALID_TOKEN_CONTEXT"]).await,
            Scenario::Schema => {
                let wrong = match feature {
                    "createSession" => json!({"qosProfile": "?"}),
                    "extend" => json!({"requestedAdditionalDuration": 0}),
                    "retrieveSessions" => json!({"device": "x"}),
                    _ => json!({"status": "GONE"}),
                };
                self.refused(&ask.with(wrong), 400, &bad).await
            }
            Scenario::NoBody => self.refused(&Ask { body: None, ..ask }, 400, &bad).await,
            Scenario::EmptyBody => {
                // r1.3 and r2.2 want it refused by retrieveSessions too: the setting gives that.
                self.admin.change(|settings| settings.refuse_empty_lookup = true).await.unwrap();
                self.refused(&Ask { body: Some(json!({})), ..ask }, 400, &bad).await
            }
            Scenario::EmptyProperty => {
                let names = ["device", "applicationServer", "devicePorts", "applicationServerPorts", "sinkCredential"];
                let empty = names.map(|name| ask.clone().with(Value::Object(Map::from_iter([(name.to_owned(), json!({}))]))));
                all(empty.into(), &["INVALID_ARGUMENT"]).await
            }
            Scenario::Ports => {
                let mut wrong = vec![device(json!({"ipv4Address": {"publicAddress": "203.0.113.7", "publicPort": 65_536}}))];
                if feature == "createSession" {
                    for name in ["devicePorts", "applicationServerPorts"] {
                        for ports in [
                            json!({"ports": [-1]}),
                            json!({"ranges": [{"from": 1, "to": 65_536}]}),
                            json!({"ranges": [{"from": -1, "to": 5}]}),
                        ] {
                            wrong.push(ask.clone().with(Value::Object(Map::from_iter([(name.to_owned(), ports)]))));
                        }
                    }
                }
                all(wrong, &["OUT_OF_RANGE", "INVALID_ARGUMENT"]).await
            }
            Scenario::CredentialType => {
                let codes: &'static [&str] =
                    if self.generation == Generation::V1_2 { &["INVALID_ARGUMENT"] } else { &["INVALID_CREDENTIAL"] };
                let kinds =
                    ["PLAIN", "REFRESHTOKEN"].map(|kind| ask.clone().with(json!({"sinkCredential": {"credentialType": kind}})));
                all(kinds.into(), codes).await
            }
            Scenario::TokenType => {
                let mut credential = World::credential();
                credential["accessTokenType"] = json!("mac");
                self.refused(&ask.with(json!({"sinkCredential": credential})), 400, &["INVALID_TOKEN", "INVALID_ARGUMENT"]).await
            }
            Scenario::UnknownProfile => self.refused(&ask.with(json!({"qosProfile": "NONE"})), 400, &bad).await,
            Scenario::Duration => {
                // The document has a code of its own for it.
                self.refused(&ask.clone().with(json!({"duration": 59})), 400, &["QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE"])
                    .await?;
                self.admin.change(|settings| settings.duration_code = DurationCode::InvalidArgument).await.unwrap();
                all(vec![ask.clone().with(json!({"duration": 59})), ask.with(json!({"duration": 86_401}))], &["INVALID_ARGUMENT"])
                    .await
            }
            Scenario::Correlator => self.refused(&Ask { correlator: "not valid!", ..ask }, 400, &bad).await,
            Scenario::BothServers
            | Scenario::EmptyList
            | Scenario::LongList
            | Scenario::TwiceInList
            | Scenario::WrongInList
            | Scenario::SubnetInList => {
                let server = match scenario {
                    Scenario::BothServers => json!({"ipAddresses": ["198.51.100.10"], "ipv4Address": "198.51.100.11"}),
                    Scenario::EmptyList => json!({"ipAddresses": []}),
                    Scenario::LongList => {
                        json!({"ipAddresses": (0..17).map(|last| format!("198.51.100.{last}")).collect::<Vec<_>>()})
                    }
                    Scenario::TwiceInList => json!({"ipAddresses": ["198.51.100.10", "198.51.100.10"]}),
                    Scenario::WrongInList => json!({"ipAddresses": ["198.51.100.10", "example.com"]}),
                    _ => json!({"ipAddresses": ["198.51.100.0/24"]}),
                };
                self.refused(&ask.with(json!({"applicationServer": server})), 400, &bad).await
            }
            Scenario::MalformedId => self.refused(&with_url(&|url| url.replace(id, "not-a-uuid")), 400, &bad).await,
            Scenario::MalformedName => self.refused(&with_url(&|url| url.replace("QOS_E", "QOS!")), 400, &bad).await,
            Scenario::LongName => {
                self.refused(&with_url(&|url| url.replace("QOS_E", "Q")), 400, &bad).await?;
                self.refused(&with_url(&|url| url.replace("QOS_E", &"Q".repeat(257))), 400, &bad).await
            }
            Scenario::NoToken => self.refused(&Ask { token: None, ..ask }, 401, &["UNAUTHENTICATED"]).await,
            Scenario::ExpiredToken => self.refused(&ask.by("expired"), 401, &["UNAUTHENTICATED"]).await,
            Scenario::WrongToken => self.refused(&ask.by("never-given-out"), 401, &["UNAUTHENTICATED"]).await,
            Scenario::NoScope => self.refused(&ask.by("without-scope"), 403, &["PERMISSION_DENIED"]).await,
            Scenario::ForeignSession => {
                self.refused(&ask.clone().by("other-client"), 403, &["PERMISSION_DENIED"]).await?;
                self.refused(&ask.by("of-other-device"), 403, &["PERMISSION_DENIED"]).await
            }
            Scenario::NotFound if feature == "getQosProfile" => {
                self.refused(&with_url(&|url| url.replace("QOS_E", "NONE")), 404, &["NOT_FOUND"]).await
            }
            Scenario::NotFound => {
                let random = Uuid::new_v4().to_string();
                self.refused(&with_url(&|url| url.replace(id, &random)), 404, &["NOT_FOUND"]).await
            }
            Scenario::Conflict => self.refused(&ask, 409, &["CONFLICT"]).await,
            Scenario::NotAvailable => {
                self.admin.terminate(&Selection::default());
                self.refused(&ask, 409, &["QUALITY_ON_DEMAND.SESSION_EXTENSION_NOT_ALLOWED"]).await
            }
            Scenario::InactiveProfile => {
                for name in ["OLD", "SOON"] {
                    let ask = ask.clone().with(json!({"qosProfile": name}));
                    self.refused(&ask, 422, &["QUALITY_ON_DEMAND.QOS_PROFILE_NOT_APPLICABLE"]).await?;
                }
                Ok(())
            }
            Scenario::PrivateKey => {
                let key = json!({"credentialType": "PRIVATE_KEY_JWT"});
                self.refused(&ask.with(json!({"sinkCredential": key})), 422, &["PRIVATE_KEY_JWT_NOT_CONFIGURED"]).await
            }
            Scenario::TooMany => {
                self.admin.change(|settings| settings.requests_per_minute = Some(0)).await.unwrap();
                self.refused(&ask, 429, &["TOO_MANY_REQUESTS"]).await
            }
            other => Err(format!("no step for {other:?}")),
        }
    }
}
