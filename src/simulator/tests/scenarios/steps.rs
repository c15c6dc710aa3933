//! Plays scenarios against a simulator of their own.

use k8s_openapi::jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::super::device::{Device, Identifier, Kind, Subscriber, SubscriberIpv4};
use super::super::super::generation::Generation;
use super::super::super::settings::{Course, Flavour, Profile, ProfileStatus, Settings};
use super::super::super::tokens::Grant;
use super::super::super::transition::{EventStatus, StatusInfo};
use super::super::super::{Admin, Selection, Simulator};
use super::meaning::Scenario;
use crate::clock::Clock;
use crate::private::Private;

/// A device known by phone and IPv6, one known by phone and IPv4, one that the service is not for.
pub(super) const PHONE: &str = "+447700900112";
const OTHER: &str = "+447700900113";
pub(super) const UNSERVED: &str = "+447700900118";
const CORRELATOR: &str = "b4333c46-49c0-4f62-80d7-f0ef930f1c46";
pub(super) const SINK: &str = "https://client.example.com/n/1";
pub(super) const SINK_TOKEN: &str = "c8974e592c2fa383d4a3960714";

pub(super) struct World {
    pub(super) generation: Generation,
    pub(super) simulator: Simulator,
    pub(super) admin: Admin,
    http: reqwest::Client,
}

/// A request, valid until a scenario spoils it.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) body: Option<Value>,
    pub(super) token: Option<&'static str>,
    pub(super) correlator: &'static str,
}

impl Ask {
    /// With these fields of its body in the place of its own; null removes one.
    #[expect(clippy::needless_pass_by_value, reason = "reads best with a json! literal")]
    pub(super) fn with(mut self, changes: Value) -> Self {
        let fields = self.body.get_or_insert_with(|| json!({})).as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
        self
    }

    pub(super) fn by(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }
}

pub(super) struct Told {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) correlator: Option<String>,
    pub(super) json: bool,
}

pub(super) type Verdict = Result<(), String>;

fn check(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

impl World {
    pub(super) async fn new(generation: Generation) -> Self {
        let profile = |name: &str, status| Profile {
            name: name.to_owned(),
            status,
            min_duration_seconds: Some(60),
            max_duration_seconds: Some(86_400),
        };
        let phone = |phone: &str| Some(Private::from(phone));
        let nobody =
            || Subscriber { phone_number: None, network_access_identifier: None, ipv4_address: None, ipv6_address: None };
        let ipv4 = SubscriberIpv4 {
            public_address: Private::new("203.0.113.7".parse().unwrap()),
            private_address: None,
            public_port: Some(59765),
        };
        let settings = Settings {
            generation,
            flavour: Flavour::Camara,
            profiles: vec![
                profile("QOS_E", ProfileStatus::Active),
                profile("QOS_R", ProfileStatus::Active),
                profile("OLD", ProfileStatus::Deprecated),
                profile("SOON", ProfileStatus::Inactive),
            ],
            restricted_profiles: [("QOS_R".to_owned(), vec![Private::from(PHONE)])].into(),
            subscribers: vec![
                Subscriber {
                    phone_number: phone(PHONE),
                    ipv6_address: Some(Private::new("2001:db8:0:1::1".parse().unwrap())),
                    ..nobody()
                },
                Subscriber { phone_number: phone(OTHER), ipv4_address: Some(ipv4), ..nobody() },
                Subscriber { phone_number: phone(UNSERVED), ..nobody() },
            ],
            known_devices_only: true,
            devices_without_service: vec![Private::from(UNSERVED)],
            unsupported_identifiers: [Kind::Ipv6Address].into(),
            ..Settings::default()
        };
        let simulator = Simulator::builder(Clock::system()).settings(settings).token("two-legged", "a").start().await.unwrap();
        let admin = simulator.admin();
        let now = admin.now();
        let of_device = |phone: &str| Grant { subject: Some(Device::new([Identifier::phone(phone)])), ..Grant::of("a") };
        admin.accept_token("other-client", "b");
        admin.accept_grant("three-legged", of_device(PHONE));
        admin.accept_grant("of-other-device", of_device(OTHER));
        admin.accept_grant("expired", Grant { expires_at: Some(now), ..Grant::of("a") });
        admin.accept_grant("without-scope", Grant { scopes: Some(["openid".to_owned()].into()), ..Grant::of("a") });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { generation, simulator, admin, http }
    }

    fn order() -> Value {
        json!({
            "device": {"phoneNumber": PHONE},
            "applicationServer": {"ipv4Address": "198.51.100.0/24", "ipv6Address": "2001:db8:1::/64"},
            "devicePorts": {"ranges": [{"from": 5010, "to": 5020}], "ports": [5060, 5070]},
            "applicationServerPorts": {"ports": [8080]},
            "qosProfile": "QOS_E",
            "duration": 3600,
            "sink": SINK,
        })
    }

    pub(super) fn credential() -> Value {
        json!({
            "credentialType": "ACCESSTOKEN",
            "accessToken": SINK_TOKEN,
            "accessTokenExpiresUtc": "2099-01-01T00:00:00Z",
            "accessTokenType": "bearer",
        })
    }

    pub(super) fn ask(method: Method, url: String, body: Option<Value>) -> Ask {
        Ask { method, url, body, token: Some("two-legged"), correlator: CORRELATOR }
    }

    /// The valid request of a feature, on the session `id`.
    fn request(&self, feature: &str, id: &str) -> Ask {
        let (sessions, profiles) = (self.simulator.url_of(self.generation), self.simulator.profiles_url_of(self.generation));
        let device = json!({"device": {"phoneNumber": PHONE}});
        match feature {
            "createSession" => World::ask(Method::POST, format!("{sessions}/sessions"), Some(World::order())),
            "getSession" => World::ask(Method::GET, format!("{sessions}/sessions/{id}"), None),
            "deleteSession" => World::ask(Method::DELETE, format!("{sessions}/sessions/{id}"), None),
            "extend" => {
                let body = json!({"requestedAdditionalDuration": 1800});
                World::ask(Method::POST, format!("{sessions}/sessions/{id}/extend"), Some(body))
            }
            "retrieveSessions" => World::ask(Method::POST, format!("{sessions}/retrieve-sessions"), Some(device)),
            "getQosProfile" => World::ask(Method::GET, format!("{profiles}/qos-profiles/QOS_E"), None),
            "retrieveQoSProfiles" => World::ask(Method::POST, format!("{profiles}/retrieve-qos-profiles"), Some(device)),
            other => panic!("no such feature: {other}"),
        }
    }

    pub(super) async fn send(&self, ask: &Ask) -> Told {
        let mut request = self.http.request(ask.method.clone(), &ask.url).header("x-correlator", ask.correlator);
        if let Some(token) = ask.token {
            request = request.bearer_auth(token);
        }
        if ask.method == Method::POST {
            request = request.header("Content-Type", "application/json");
        }
        if let Some(body) = &ask.body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (correlator, json) = (header("x-correlator"), header("content-type").as_deref() == Some("application/json"));
        let body = serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default();
        Told { status, body, correlator, json }
    }

    /// A session of the client, as its creation was answered.
    async fn session(&self) -> (String, Value) {
        let told = self.send(&self.request("createSession", "")).await;
        assert_eq!(told.status, 201, "{}", told.body);
        (told.body["sessionId"].as_str().unwrap().to_owned(), told.body)
    }

    /// That the answer is this error, in full form.
    pub(super) async fn refused(&self, ask: &Ask, status: u16, codes: &[&str]) -> Verdict {
        let told = self.send(ask).await;
        let body = &told.body;
        let code = body["code"].as_str().unwrap_or_default();
        check(told.status == status && codes.contains(&code), || format!("{} {body}, expected {status} {codes:?}", told.status))?;
        check(body["status"] == json!(status), || format!("no status in {body}"))?;
        check(body["message"].as_str().is_some_and(|message| !message.is_empty()), || format!("no message in {body}"))?;
        check(told.json, || "not application/json".to_owned())?;
        let echoed = told.correlator.as_deref() == Some(ask.correlator);
        check(echoed || ask.correlator != CORRELATOR, || "x-correlator is not echoed".to_owned())
    }

    /// That the answer is a success, in full form.
    async fn done(&self, ask: &Ask, status: u16) -> Result<Value, String> {
        let told = self.send(ask).await;
        check(told.status == status, || format!("{} {}, expected {status}", told.status, told.body))?;
        check(told.json == (status != 204), || "wrong Content-Type".to_owned())?;
        check(told.correlator.as_deref() == Some(CORRELATOR), || "x-correlator is not echoed".to_owned())?;
        Ok(told.body)
    }

    /// The conditions on each property of a session beside the schema, where `order` made it.
    fn told_of(&self, info: &Value, order: &Value) -> Verdict {
        for name in ["device", "applicationServer", "devicePorts", "applicationServerPorts", "qosProfile", "sink"] {
            check(info.get(name) == order.get(name), || format!("{name} differs: {info}"))?;
        }
        check(info["sessionId"].as_str().is_some_and(|id| id.parse::<Uuid>().is_ok()), || format!("no sessionId: {info}"))?;
        check(info["duration"].as_i64().is_some_and(|duration| duration >= 1), || format!("no duration: {info}"))?;
        let status = info["qosStatus"].as_str().unwrap_or_default();
        let time = |name: &str| info.get(name).map(|at| at.as_str().unwrap_or_default().parse::<k8s_openapi::jiff::Timestamp>());
        let (started, expires) = (time("startedAt").transpose(), time("expiresAt").transpose());
        let (Ok(started), Ok(expires)) = (started, expires) else {
            return Err(format!("times that are none: {info}"));
        };
        check(started.is_some() == (status == "AVAILABLE"), || format!("startedAt while {status}"))?;
        check(started.is_none_or(|at| at <= self.admin.now()), || "startedAt is to come".to_owned())?;
        check(expires.is_some() == (status != "REQUESTED"), || format!("expiresAt while {status}"))?;
        check(started.is_none() || expires > started, || "expiresAt before startedAt".to_owned())?;
        check(info.get("statusInfo").is_some() == (status == "UNAVAILABLE"), || format!("statusInfo while {status}"))?;
        check(info.get("sinkCredential").is_none(), || "the secret is repeated".to_owned())
    }

    /// What is due to be told of the only session.
    fn due(&self) -> Vec<(EventStatus, Option<StatusInfo>)> {
        self.admin.sessions().iter().flat_map(|session| session.due.clone()).map(|due| (due.status, due.info)).collect()
    }

    pub(super) async fn play(self, feature: &str, scenario: Scenario) -> Verdict {
        let needs_session = ["getSession", "deleteSession", "extend"].contains(&feature);
        let id = if needs_session || scenario == Scenario::Conflict { self.session().await.0 } else { String::new() };
        let ask = self.request(feature, &id);
        match self.success(feature, scenario, &ask, &id).await {
            Some(verdict) => verdict,
            None => self.refusal(feature, scenario, ask, &id).await,
        }
    }

    /// The scenarios that end well.
    async fn success(&self, feature: &str, scenario: Scenario, ask: &Ask, id: &str) -> Option<Verdict> {
        Some(match scenario {
            Scenario::Success => self.generic(feature, ask).await,
            Scenario::Event => self.event(ask).await,
            Scenario::ThreeLegged => {
                let ask = ask.clone().by("three-legged").with(json!({"device": null}));
                self.done(&ask, 201).await.and_then(|info| self.told_of(&info, ask.body.as_ref().unwrap()))
            }
            Scenario::ServerSubnets => self.done(ask, 201).await.map(drop),
            Scenario::ServerList => {
                let list = json!({"ipAddresses": ["198.51.100.10", "198.51.100.11", "2001:DB8::10"]});
                let ask = ask.clone().with(json!({"applicationServer": list}));
                self.done(&ask, 201).await.and_then(|info| self.told_of(&info, ask.body.as_ref().unwrap()))
            }
            Scenario::Ended => self.ended(ask, id).await,
            Scenario::DeleteEvent => {
                let told = self.done(ask, 204).await.map(drop);
                let last = self.due().last().copied();
                let expected = Some((EventStatus::Unavailable, Some(StatusInfo::DeleteRequested)));
                told.and_then(|()| check(last == expected, || format!("{last:?}")))
            }
            Scenario::BeyondMaximum => {
                let ask = ask.clone().with(json!({"requestedAdditionalDuration": 100_000}));
                self.done(&ask, 200).await.and_then(|info| check(info["duration"] == json!(86_400), || info.to_string()))
            }
            Scenario::NoSessions => self.done(ask, 200).await.and_then(|list| check(list == json!([]), || list.to_string())),
            Scenario::ByName
            | Scenario::ByStatus
            | Scenario::RestrictedShown
            | Scenario::RestrictedHidden
            | Scenario::NoProfiles => self.profiles(scenario, ask).await,
            _ => return None,
        })
    }

    async fn generic(&self, feature: &str, ask: &Ask) -> Verdict {
        let order = World::order();
        match feature {
            "createSession" => {
                self.told_of(&self.done(ask, 201).await?, &order)?;
                let requested = World::new(self.generation).await;
                let course = Course { requested_delay_seconds: Some(2), ..Course::default() };
                requested.admin.change(|settings| settings.courses = [("QOS_E".to_owned(), course)].into()).await.unwrap();
                let info = requested.done(&requested.request(feature, ""), 201).await?;
                check(info["qosStatus"] == json!("REQUESTED"), || info.to_string())?;
                requested.told_of(&info, &order)
            }
            "getSession" => self.told_of(&self.done(ask, 200).await?, &order),
            "deleteSession" => self.done(ask, 204).await.map(drop),
            "extend" => {
                let info = self.done(ask, 200).await?;
                check(info["duration"] == json!(5400), || info.to_string())?;
                self.told_of(&info, &order)
            }
            "retrieveSessions" => {
                let (id, _) = self.session().await;
                let other = self.request("createSession", "").by("other-client");
                let elsewhere = other.with(json!({"applicationServer": {"ipv4Address": "192.0.2.1"}}));
                self.done(&elsewhere, 201).await?;
                let list = self.done(ask, 200).await?;
                let list = list.as_array().ok_or("no list")?;
                check(list.len() == 1 && list[0]["sessionId"] == json!(id), || format!("{list:?}"))?;
                self.told_of(&list[0], &order)
            }
            "getQosProfile" => profile(&self.done(ask, 200).await?, "QOS_E"),
            _ => {
                let list = self.done(ask, 200).await?;
                let list = list.as_array().ok_or("no list")?;
                check(!list.is_empty(), || "no profiles".to_owned())?;
                list.iter().try_for_each(|found| profile(found, found["name"].as_str().unwrap_or_default()))
            }
        }
    }

    /// The event itself is the sender's; here it must be due, with the address and the token to send it to.
    async fn event(&self, ask: &Ask) -> Verdict {
        let ask = ask.clone().with(json!({"sinkCredential": World::credential()}));
        self.told_of(&self.done(&ask, 201).await?, &World::order())?;
        check(self.due() == [(EventStatus::Available, None)], || format!("{:?}", self.due()))?;
        let target = self.admin.sessions()[0].order.notify.clone().ok_or("no target")?;
        let right = target.url.expose() == SINK && target.token.is_some_and(|token| token.expose() == SINK_TOKEN);
        check(right && target.token_expires.is_some(), || "the target is not the one given".to_owned())
    }

    async fn ended(&self, ask: &Ask, id: &str) -> Verdict {
        if self.generation <= Generation::V1_0 {
            // r1.3 and r2.2 want a deleted session to be shown: the setting gives that.
            self.admin.change(|settings| settings.deleted_kept_seconds = 360).await.unwrap();
            self.done(&self.request("deleteSession", id), 204).await?;
        } else {
            self.admin.terminate(&Selection::default());
        }
        self.admin.advance(SignedDuration::from_secs(300));
        let info = self.done(ask, 200).await?;
        check(info["qosStatus"] == json!("UNAVAILABLE") && info.get("statusInfo").is_some(), || info.to_string())
    }

    async fn profiles(&self, scenario: Scenario, ask: &Ask) -> Verdict {
        let names = |list: &Value| list.as_array().into_iter().flatten().map(|found| found["name"].clone()).collect::<Vec<_>>();
        let without = |changes: Value| ask.clone().with(json!({"device": null})).with(changes);
        match scenario {
            Scenario::ByName => {
                let list = self.done(&without(json!({"name": "QOS_E"})), 200).await?;
                check(names(&list) == ["QOS_E"], || list.to_string())
            }
            Scenario::ByStatus => {
                for (status, expected) in [("ACTIVE", "QOS_E"), ("INACTIVE", "SOON"), ("DEPRECATED", "OLD")] {
                    let list = self.done(&without(json!({"status": status})), 200).await?;
                    check(names(&list) == [expected], || list.to_string())?;
                }
                Ok(())
            }
            Scenario::RestrictedShown => {
                let list = self.done(ask, 200).await?;
                check(names(&list).contains(&json!("QOS_R")), || list.to_string())
            }
            Scenario::RestrictedHidden => {
                let list = self.done(&without(json!({})), 200).await?;
                check(names(&list) == ["QOS_E", "OLD", "SOON"], || list.to_string())
            }
            _ => {
                let nobodys = |settings: &mut Settings| {
                    let names = settings.profiles.iter().map(|profile| (profile.name.clone(), Vec::new()));
                    settings.restricted_profiles = names.collect();
                };
                self.admin.change(nobodys).await.unwrap();
                let list = self.done(ask, 200).await?;
                check(list == json!([]), || list.to_string())
            }
        }
    }
}

fn profile(found: &Value, name: &str) -> Verdict {
    let right = found["name"] == json!(name)
        && ["ACTIVE", "INACTIVE", "DEPRECATED"].iter().any(|status| found["status"] == json!(status));
    check(right && found["minDuration"] == json!({"value": 1, "unit": "Minutes"}), || found.to_string())
}
