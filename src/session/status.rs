//! stub
use super::decide::Decision;
use super::facts::*;
use super::outcome::*;
use super::record::AttemptRecord;
use crate::api::*;
use crate::qod;
pub struct Pass<'a> {
    pub object: &'a QosSession,
    pub goal: &'a Goal,
    pub past: &'a Past,
    pub observed: &'a Observed,
    pub decision: &'a Decision,
    pub effect: &'a Effect,
    pub look_fault: Option<&'a qod::Fault>,
    pub found: Option<&'a qod::SessionInfo>,
    pub bar: Option<&'a BarWords>,
    pub peer: Option<&'a PeerWords>,
    pub provider: Option<&'a SessionProvider>,
    pub device_mask: &'a str,
    pub sent_record: Option<&'a AttemptRecord>,
    pub unreadable_version: Option<i64>,
    pub other_client: bool,
    pub now: k8s_openapi::jiff::Timestamp,
}
pub struct Next {
    pub status: QosSessionStatus,
    pub notes: Vec<Note>,
}
pub fn next(_: &Pass<'_>) -> Next {
    todo!()
}
pub fn same(_: &QosSessionStatus, _: &QosSessionStatus) -> bool {
    todo!()
}
pub fn departure(_: &QosSession, _: &Decision, _: &Past) -> Option<Note> {
    todo!()
}
