//! The scenarios of the releases before r1.3.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::super::super::faults::{Fault, Target};
use super::super::super::generation::Generation;
use super::steps::{PHONE, SINK, SINK_TOKEN, World};

impl World {
    /// The five scenarios of 0.9 and 0.10.
    pub(super) async fn early(&self) {
        let url = format!("{}/sessions", self.simulator.url_of(self.generation));
        let first = self.generation == Generation::V0_8;
        let (device, server, profile, id) =
            if first { ("ueId", "asId", "qos", "id") } else { ("device", "applicationServer", "qosProfile", "sessionId") };
        let (phone, ipv4) = if first { ("msisdn", "ipv4addr") } else { ("phoneNumber", "ipv4Address") };
        let least = json!({device: {phone: PHONE}, server: {ipv4: "198.51.100.10"}, profile: "QOS_E"});
        let ports = if first { ["uePorts", "asPorts"] } else { ["devicePorts", "applicationServerPorts"] };
        let mut all = least.clone();
        all["duration"] = json!(600);
        for name in ports {
            all[name] = json!({"ports": [5060], "ranges": [{"from": 5010, "to": 5020}]});
        }
        if first {
            all["notificationUrl"] = json!(SINK);
            all["notificationAuthToken"] = json!(SINK_TOKEN);
        } else {
            all["webhook"] = json!({"notificationUrl": SINK, "notificationAuthToken": SINK_TOKEN});
        }
        for body in [least.clone(), all] {
            let told = self.send(&World::ask(Method::POST, url.clone(), Some(body.clone()))).await;
            let info = told.body;
            assert_eq!(told.status, 201, "{} {info}", self.generation);
            assert_eq!(info.get("qosStatus").is_some(), !first, "{info}");
            for name in
                body.as_object().unwrap().keys().filter(|name| !["webhook", "notificationAuthToken"].contains(&name.as_str()))
            {
                assert_eq!(info[name], body[name], "{info}");
            }
            let span = info["expiresAt"].as_i64().unwrap() - info["startedAt"].as_i64().unwrap();
            assert_eq!(span, body.get("duration").map_or(86_400, |duration| duration.as_i64().unwrap()));
            let one = format!("{url}/{}", info[id].as_str().unwrap());
            let got = self.send(&World::ask(Method::GET, one.clone(), None)).await;
            assert_eq!((got.status, got.body), (200, info));
            assert!(got.correlator.is_none(), "x-correlator came with 0.11");
            assert_eq!(self.send(&World::ask(Method::DELETE, one.clone(), None)).await.status, 204);
            assert_eq!(self.send(&World::ask(Method::GET, one, None)).await.status, 404);
        }
        let gone = format!("{url}/{}", Uuid::new_v4());
        let told = self.send(&World::ask(Method::DELETE, gone, None)).await;
        assert_eq!((told.status, &told.body["code"]), (404, &json!("NOT_FOUND")));
        let malformed = self.send(&World::ask(Method::GET, format!("{url}/not-a-uuid"), None)).await;
        assert_eq!(malformed.status, if self.generation == Generation::V0_10 { 400 } else { 404 });
        let mut wrong = least;
        wrong[device] = json!({});
        let told = self.send(&World::ask(Method::POST, url.clone(), Some(wrong))).await;
        assert_eq!((told.status, &told.body["code"]), (400, &json!(if first { "INVALID_INPUT" } else { "INVALID_ARGUMENT" })));
        assert_eq!(told.body.get("status").is_some(), !first);
        let fault = Fault::once(Target::Create, Fault::status(500, "INTERNAL"));
        self.admin.add_fault(fault).unwrap();
        let told = self.send(&World::ask(Method::POST, url, Some(json!({})))).await;
        assert_eq!((told.status, &told.body["code"]), (500, &json!("INTERNAL")));
    }
}
