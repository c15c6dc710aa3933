//! Everything that our client sends agrees with the documents of the generation that it speaks.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};
use qos_operator::qod::{
    AccessToken, CallbackField, Client, CreateSession, Fault, FaultClass, Generation, Operation, ProfileFilter, ProfileStatus,
    SessionId, Settings,
};

use super::divergence::Side;
use super::inputs;
use super::proxy::Proxy;
use super::specs::{Contract, FORMS, Form, Origin, folder};
use super::tally::Summary;

const TOKEN: &str = "at-7Qe2Xk9LmP4s";
const SESSION: &str = "0b7e6a52-94c1-4e0d-8a3f-5d2c7be91f04";
/// How many sessions are made up for each form.
const MADE_UP: usize = 500;

/// A client whose every request is held to the documents of a form, and answered with 503.
struct Bench {
    contract: Contract,
    proxy: Proxy,
    client: Client,
}

impl Bench {
    async fn start(form: Form) -> Option<Self> {
        let folder = folder("what the client sends")?;
        let contract = Contract::read(folder, form, "/api");
        let proxy = Proxy::dead_end(contract.clone()).await;
        let client = Client::new(settings(&contract, &proxy)).unwrap();
        Some(Self { contract, proxy, client })
    }
}

/// The settings with which a form is spoken.
pub(super) fn settings(contract: &Contract, proxy: &Proxy) -> Settings {
    let (sessions, profiles) = contract.bases();
    let url = |base: &str| -> url::Url { format!("{}{base}", proxy.url()).parse().unwrap() };
    let mut settings = Settings::new(contract.form.generation, url(&sessions));
    assert_eq!(settings.profiles_base(), url(&profiles), "what is derived is what the documents have");
    match (contract.form.origin, contract.form.generation) {
        (Origin::Telefonica, Generation::V0_8) => settings.single_port = true,
        (Origin::Telefonica, Generation::V1_1) => settings.callback_field = CallbackField::Webhook,
        _ => {}
    }
    settings
}

/// Whether it was sent: 503 was the answer. Otherwise the client refused to send it.
fn sent<T: std::fmt::Debug>(result: Result<T, Fault>) -> bool {
    match result.unwrap_err().class {
        FaultClass::NotExpressible { .. } => false,
        FaultClass::Unavailable | FaultClass::Ambiguous => true,
        other => panic!("503 was answered, but the client says {other:?}"),
    }
}

/// Everything but the creations; which operations were sent.
async fn other_requests(client: &Client) -> Vec<Operation> {
    let token = AccessToken::new(TOKEN);
    let id = SessionId::new(SESSION);
    let mut done = Vec::new();
    let mut note = |operation, sent| done.extend(Some(operation).filter(|_| sent));
    note(Operation::GetSession, sent(client.get_session(&token, &id).await));
    note(Operation::DeleteSession, sent(client.delete_session(&token, &id).await));
    for seconds in [1, 600, 86_399, 86_400, i64::from(i32::MAX), i64::from(i32::MAX) + 1] {
        let extended = client.extend_qos_session_duration(&token, &id, seconds).await;
        note(Operation::ExtendQosSessionDuration, sent(extended));
    }
    note(Operation::GetQosProfiles, sent(client.get_qos_profiles(&token).await));
    for filter in filters() {
        note(Operation::GetQosProfiles, sent(client.get_qos_profiles_matching(&token, &filter).await));
    }
    for name in ["QOS_E", "a.b-c_D", "abc", "ab"] {
        note(Operation::GetQosProfile, sent(client.get_qos_profile(&token, name).await));
    }
    let devices = inputs::table().into_iter().map(|(_, session)| session.device);
    for device in devices.chain([None]) {
        note(Operation::RetrieveSessions, sent(client.retrieve_sessions(&token, device.as_ref()).await));
        for filter in filters().into_iter().chain([ProfileFilter::default()]) {
            let retrieved = client.retrieve_qos_profiles(&token, device.as_ref(), &filter).await;
            note(Operation::RetrieveQosProfiles, sent(retrieved));
        }
    }
    done
}

fn filters() -> Vec<ProfileFilter> {
    let named = |name: &str, status| ProfileFilter { name: Some(name.into()), status };
    vec![
        named("QOS_E", None),
        named("QOS_E", Some(ProfileStatus::Active)),
        ProfileFilter { name: None, status: Some(ProfileStatus::Inactive) },
        ProfileFilter { name: None, status: Some(ProfileStatus::Deprecated) },
    ]
}

/// Whether a provider of that form is asked for such a session. Telefónica's 1.1 requires the device, where CAMARA's leaves it to the
/// token: their provider is configured with `deviceInRequest: Always`.
pub(super) fn fits(form: Form, session: &CreateSession) -> bool {
    session.device.is_some() || (form.origin, form.generation) != (Origin::Telefonica, Generation::V1_1)
}

#[tokio::test]
async fn every_request_that_the_client_sends_agrees_with_its_generations_document() {
    let mut summary = Summary::new(Side::Client);
    let mut matrix: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for form in FORMS {
        let Some(bench) = Bench::start(form).await else { return };
        for (name, session) in inputs::table().into_iter().filter(|(_, session)| fits(form, session)) {
            let accepted = sent(bench.client.create_session(&AccessToken::new(TOKEN), &session).await);
            assert!(accepted || name != "ordinary", "{form}: an ordinary session is refused");
            matrix.entry(name).or_default().extend(accepted.then(|| form.to_string()));
        }
        let done = other_requests(&bench.client).await;
        for operation in operations(form.generation).filter(|operation| *operation != Operation::CreateSession) {
            assert!(done.contains(&operation), "{form}: no {operation} was sent");
        }
        summary.add(bench.contract, bench.proxy.tally());
    }
    println!("What the client sends of the table; what it does not send it refuses:");
    for (name, forms) in &matrix {
        println!("  {name:<32} {}", forms.join(", "));
    }
    summary.judge();
}

fn operations(generation: Generation) -> impl Iterator<Item = Operation> {
    [
        Operation::CreateSession,
        Operation::GetSession,
        Operation::DeleteSession,
        Operation::ExtendQosSessionDuration,
        Operation::GetQosProfiles,
        Operation::GetQosProfile,
        Operation::RetrieveSessions,
        Operation::RetrieveQosProfiles,
    ]
    .into_iter()
    .filter(move |operation| generation.has(*operation))
}

#[test]
fn whatever_session_the_client_agrees_to_ask_for_agrees_with_the_document() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut summary = Summary::new(Side::Client);
    for form in FORMS {
        let Some(bench) = runtime.block_on(Bench::start(form)) else { return };
        let mut runner = TestRunner::new_with_rng(
            Config { failure_persistence: None, ..Config::default() },
            proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
        );
        let mut accepted = 0;
        let sessions = std::iter::repeat_with(|| inputs::any_session().new_tree(&mut runner).unwrap().current());
        for session in sessions.filter(|session| fits(form, session)).take(MADE_UP) {
            accepted += usize::from(sent(runtime.block_on(bench.client.create_session(&AccessToken::new(TOKEN), &session))));
        }
        println!("{form}: {accepted} of {MADE_UP} sessions that were made up can be asked for");
        assert!(accepted >= MADE_UP / 10, "{form}: hardly any session was sent, so that nothing was wrong says little");
        summary.add(bench.contract, bench.proxy.tally());
    }
    summary.judge_random();
}
