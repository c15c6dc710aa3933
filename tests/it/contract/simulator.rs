//! Everything that the simulator answers agrees with the documents of the generation that it speaks, and what does not agree with
//! them is not taken.

use qos_operator::qod::{Generation, Operation};
use qos_operator::simulator::device::Kind;
use qos_operator::simulator::settings::{Outage, Profile, ProfileStatus};
use qos_operator::simulator::{DEFAULT_TOKEN, Selection};
use reqwest::Method;
use serde_json::{Value, json};

use super::divergence::Side;
use super::proxy::Requests;
use super::script::{SUBJECT, Script, UNKNOWN_ID};
use super::specs::FORMS;
use super::tally::Summary;

impl Script {
    /// Creates, reads and deletes sessions of every kind.
    async fn sessions_come_and_go(&self) {
        let mut orders = self.words.good_orders();
        orders.push(self.words.order(&self.phone(), &json!({})));
        for order in &orders {
            let id = self.session(order).await;
            assert_eq!(self.get(&format!("/sessions/{id}")).await.0, 200);
            if self.has(Operation::ExtendQosSessionDuration) {
                assert_eq!(self.extend(&id, 60).await.0, 200);
            }
            assert_eq!(self.delete(&id).await, 204);
            assert_eq!(self.delete(&id).await, 404);
            assert_eq!(self.get(&format!("/sessions/{id}")).await.0, 404);
        }
        for path in [format!("/sessions/{UNKNOWN_ID}"), "/sessions/not-a-uuid".to_owned()] {
            let status = self.get(&path).await.0;
            assert!([400, 404].contains(&status), "{path} {status}");
            self.call(Method::DELETE, &path, Some(DEFAULT_TOKEN), None).await;
        }
    }

    /// Lets the network, and time, do their part.
    async fn sessions_live_and_die(&self) {
        self.set(|settings| settings.requested_delay_seconds = 2).await;
        let path = |id: &str| format!("/sessions/{id}");
        let id = self.session(&self.words.order(&self.phone(), &json!({}))).await;
        assert_eq!(self.get(&path(&id)).await.0, 200);
        self.retrieve_all().await;
        if self.has(Operation::ExtendQosSessionDuration) {
            assert!(self.extend(&id, 60).await.0 >= 400, "a session that is REQUESTED cannot be extended");
        }
        self.pass(3);
        assert_eq!(self.get(&path(&id)).await.0, 200);
        self.admin.terminate(&Selection::default());
        self.get(&path(&id)).await;
        self.retrieve_all().await;
        if self.has(Operation::ExtendQosSessionDuration) {
            assert!(self.extend(&id, 60).await.0 >= 400, "nor one that is UNAVAILABLE");
        }
        self.delete(&id).await;
        self.set(|settings| settings.expired_kept_seconds = 60).await;
        let id = self.session(&self.words.order(&self.phone(), &json!({"duration": 30}))).await;
        self.pass(40);
        self.get(&path(&id)).await;
        self.pass(100);
        assert_eq!(self.get(&path(&id)).await.0, 404);
        self.unset().await;
        if self.generation() == Generation::V1_2 {
            self.set(|settings| settings.unavailable_at_once = true).await;
            let (status, info) = self.create(&self.words.order(&self.phone(), &json!({}))).await;
            assert_eq!((status, &info["qosStatus"]), (201, &json!("UNAVAILABLE")));
            self.unset().await;
        }
    }

    async fn retrieve_all(&self) {
        if self.has(Operation::RetrieveSessions) {
            let device = json!({"device": self.words.phone(&format!("+447700900{}", self.phones.get()))});
            let (status, list) = self.post("/retrieve-sessions", &device).await;
            assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(1)), "{}: {list}", self.contract.form);
        }
    }

    /// Sends what must be refused with 400.
    async fn mistakes(&self) {
        for order in self.words.bad_orders() {
            let (status, told) = self.create(&order).await;
            assert!([400, 422].contains(&status), "{}: {order} {told}", self.contract.form);
        }
        let id = self.session(&self.words.order(&self.phone(), &json!({}))).await;
        for (method, path, body) in self.operations(&id) {
            if body.is_none() {
                continue;
            }
            for text in ["", "{", "[]", "null", "5"] {
                let request = self.request(method.clone(), &path, Some(DEFAULT_TOKEN)).header("content-type", "application/json");
                assert_eq!(self.send(request.body(text)).await.0, 400, "{}: {path} {text}", self.contract.form);
            }
            let request = self.request(method.clone(), &path, Some(DEFAULT_TOKEN)).header("content-type", "text/plain");
            assert!(self.send(request.body("hello")).await.0 >= 400);
        }
        if self.has(Operation::ExtendQosSessionDuration) {
            for seconds in [Value::Null, json!(0), json!("5"), json!(2_147_483_648_i64)] {
                let body = json!({"requestedAdditionalDuration": seconds});
                assert_eq!(self.post(&format!("/sessions/{id}/extend"), &body).await.0, 400, "{}: {body}", self.contract.form);
            }
            assert_eq!(self.post(&format!("/sessions/{id}/extend"), &json!({})).await.0, 400);
            let status = self.extend("not-a-uuid", 60).await.0;
            assert!([400, 404].contains(&status));
            assert_eq!(self.extend(UNKNOWN_ID, 60).await.0, 404);
        }
        if self.has(Operation::RetrieveSessions) {
            for device in [json!({}), json!(5), self.words.phone("x"), self.words.ipv6("x")] {
                assert_eq!(self.post("/retrieve-sessions", &json!({"device": device})).await.0, 400);
                assert_eq!(self.post("/retrieve-qos-profiles", &json!({"device": device})).await.0, 400);
            }
        }
        if self.generation() >= Generation::V1_0 && self.camara() {
            for (method, path, body) in self.operations(&id) {
                let request = self.http.request(method, self.request(Method::GET, &path, None).build().unwrap().url().clone());
                let request = request.bearer_auth(DEFAULT_TOKEN).header("x-correlator", "not allowed!");
                let request = if let Some(body) = body { request.json(&body) } else { request };
                assert_eq!(self.send(request).await.0, 400, "{path}");
            }
        }
        self.delete(&id).await;
    }

    /// Calls every operation without a good token, and for somebody else's session.
    async fn strangers(&self) {
        let id = self.session(&self.words.order(&self.phone(), &json!({}))).await;
        for (method, path, body) in self.operations(&id) {
            for token in [None, Some("unknown"), Some("expired")] {
                let (status, _) = self.call(method.clone(), &path, token, body.as_ref()).await;
                assert_eq!(status, 401, "{}: {path} {token:?}", self.contract.form);
            }
            for token in ["other", "powerless", "three-legged-powerless"] {
                if token == "other" && !path.contains(&id) {
                    continue;
                }
                let (status, _) = self.call(method.clone(), &path, Some(token), body.as_ref()).await;
                assert!(status == 403 || self.generation() <= Generation::V0_10, "{}: {path} {token}", self.contract.form);
            }
        }
        self.delete(&id).await;
    }

    /// Asks for what is taken, for too much, and for what is not offered.
    async fn conflicts_and_limits(&self) {
        let order = self.words.order(&self.phone(), &json!({}));
        let id = self.session(&order).await;
        assert_eq!(self.create(&order).await.0, 409);
        let profile = |name: &str, status| Profile {
            name: name.to_owned(),
            status,
            min_duration_seconds: Some(60),
            max_duration_seconds: Some(3600),
        };
        self.set(|settings| {
            settings.profiles = vec![
                profile("QOS_E", ProfileStatus::Active),
                profile("QOS_S", ProfileStatus::Inactive),
                profile("QOS_M", ProfileStatus::Deprecated),
            ];
        })
        .await;
        for change in
            [json!({"duration": 30}), json!({"duration": 3601}), json!({"qosProfile": "QOS_S"}), json!({"qosProfile": "QOS_M"})]
        {
            let status = self.create(&self.words.order(&self.phone(), &change)).await.0;
            assert!([400, 422].contains(&status), "{}: {change} {status}", self.contract.form);
        }
        self.unset().await;
        if self.modern() {
            self.set(|settings| settings.session_quota = Some(0)).await;
            // Their document has no 429 for a creation.
            let too_many = if self.camara() { 429 } else { 503 };
            assert_eq!(self.create(&self.words.order(&self.phone(), &json!({}))).await.0, too_many);
            self.unset().await;
            self.set(|settings| settings.requests_per_minute = Some(0)).await;
            for (method, path, body) in self.operations(&id) {
                let expected = if path == "/sessions" { too_many } else { 429 };
                assert_eq!(self.call(method, &path, Some(DEFAULT_TOKEN), body.as_ref()).await.0, expected, "{path}");
            }
            self.unset().await;
        } else {
            // Since 1.0 the documents do not have 503 any more, so an outage is outside of the contract.
            self.outage(&id).await;
        }
        if self.generation() == Generation::V0_11 {
            self.outage(&id).await;
        }
        self.delete(&id).await;
    }

    async fn outage(&self, id: &str) {
        self.set(|settings| settings.outage = Outage::Unavailable).await;
        for (method, path, body) in self.operations(id) {
            assert_eq!(self.call(method, &path, Some(DEFAULT_TOKEN), body.as_ref()).await.0, 503, "{path}");
        }
        self.unset().await;
    }

    /// Names devices that the provider cannot serve, or none at all, in every operation that takes one.
    async fn devices(&self) {
        let (phone, words) = (self.phone(), self.words);
        let mut asked: Vec<(&str, Value)> = vec![("/sessions", words.order(&phone, &json!({"device": null})))];
        if self.has(Operation::RetrieveSessions) {
            asked.extend([("/retrieve-sessions", json!({})), ("/retrieve-qos-profiles", json!({}))]);
        }
        let with = |body: &Value, device: &Value| {
            let mut body = body.clone();
            body[words.field("device")] = device.clone();
            body
        };
        for (path, bare) in &asked {
            self.post(path, bare).await;
            for (device, token) in [
                (None, "three-legged"),
                (Some(words.phone(&phone)), "three-legged"),
                (Some(words.network_access("device@example.com")), DEFAULT_TOKEN),
                (Some(words.phone(&phone)), DEFAULT_TOKEN),
            ] {
                let body = device.map_or_else(|| bare.clone(), |device| with(bare, &device));
                self.call(Method::POST, path, Some(token), Some(&body)).await;
                self.retrieve_by(token).await;
                self.forget();
            }
            self.set(|settings| settings.unsupported_identifiers = [Kind::PhoneNumber].into()).await;
            self.post(path, &with(bare, &words.phone(&phone))).await;
            self.unset().await;
            self.set(|settings| settings.known_devices_only = true).await;
            self.post(path, &with(bare, &words.phone(&phone))).await;
            self.unset().await;
            self.set(|settings| settings.devices_without_service = vec![phone.clone().into()]).await;
            self.post(path, &with(bare, &words.phone(&phone))).await;
            self.unset().await;
        }
        self.forget();
    }

    async fn retrieve_by(&self, token: &str) {
        if self.has(Operation::RetrieveSessions) {
            self.call(Method::POST, "/retrieve-sessions", Some(token), Some(&json!({}))).await;
        }
    }

    fn forget(&self) {
        self.admin.forget();
    }

    /// Looks at what is offered.
    async fn profiles(&self) {
        if self.has(Operation::GetQosProfile) {
            assert_eq!(self.get("/qos-profiles/QOS_E").await.0, 200);
            assert_eq!(self.get("/qos-profiles/QOS_NONE").await.0, 404);
            assert_eq!(self.get("/qos-profiles/a").await.0, 400);
            assert_eq!(self.get("/qos-profiles/a%20b").await.0, 400);
        }
        if self.has(Operation::GetQosProfiles) {
            for (query, status) in
                [("", 200), ("?name=QOS_E", 200), ("?status=ACTIVE", 200), ("?name=QOS_NONE", 404), ("?status=INACTIVE", 404)]
            {
                assert_eq!(self.get(&format!("/qos-profiles{query}")).await.0, status, "{query}");
            }
        }
        if self.has(Operation::RetrieveQosProfiles) {
            let device = self.words.phone(SUBJECT);
            for body in [json!({}), json!({"device": device}), json!({"name": "QOS_E"}), json!({"status": "INACTIVE"})] {
                assert_eq!(self.post("/retrieve-qos-profiles", &body).await.0, 200, "{body}");
            }
            if [Generation::V0_11, Generation::V1_0].contains(&self.generation()) {
                let five = json!({"phoneNumber": SUBJECT, "a": 1, "b": 2, "c": 3, "d": 4});
                assert_eq!(self.post("/retrieve-qos-profiles", &json!({"device": five})).await.0, 400, "maxProperties");
            }
            for body in [json!({"name": "a"}), json!({"status": "none"}), json!({"name": 5})] {
                assert_eq!(self.post("/retrieve-qos-profiles", &body).await.0, 400, "{body}");
            }
        }
    }
}

#[tokio::test]
async fn everything_that_the_simulator_answers_agrees_with_its_generations_document() {
    let mut summary = Summary::new(Side::Simulator);
    for form in FORMS {
        let Some(script) = Script::start(form, Requests::MayDisagree).await else { return };
        script.sessions_come_and_go().await;
        script.sessions_live_and_die().await;
        script.mistakes().await;
        script.strangers().await;
        script.conflicts_and_limits().await;
        script.devices().await;
        script.profiles().await;
        summary.add(script.contract.clone(), script.proxy.tally());
    }
    summary.judge();
    summary.judge_completeness(|document, operation, status| match (status, operation) {
        ("500", _) => Some("the simulator has no errors of its own; they can be injected, outside of the contract"),
        ("403", "createSession") if document == "camara/v0.8.1/qod-api.yaml" => Some("0.8 has no scopes"),
        ("403", "getQosProfile" | "getQosProfiles") => Some("no scope is needed"),
        _ => None,
    });
}
