//! Trouble that users of such operators had, as tests: each is named by what must hold. The numbers are those of the project's list
//! of field cases.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod people;
mod provider;

fn status(object: &qos_operator::api::QosSession) -> qos_operator::api::QosSessionStatus {
    object.status.clone().unwrap_or_default()
}
