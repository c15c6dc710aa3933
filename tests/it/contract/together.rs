//! Our client and our simulator, with the documents between them: what each says agrees with the documents, and they understand each
//! other.

use qos_operator::qod::{AccessToken, Client, CreateSession, Fault, FaultClass, Generation, Operation, ProfileFilter};
use qos_operator::simulator::DEFAULT_TOKEN;

use super::client::{fits, settings};
use super::divergence::Side;
use super::inputs;
use super::proxy::Requests;
use super::script::Script;
use super::specs::FORMS;
use super::tally::Summary;

/// The life of one session: none where client or provider refuse it, which is an answer too.
async fn life(client: &Client, token: &AccessToken, session: &CreateSession) -> Result<(), Fault> {
    let created = client.create_session(token, session).await?;
    let generation = client.generation();
    let read = client.get_session(token, &created.session_id).await?;
    assert!(read.flow_matches(&session.flow()), "{generation}: {session:?} {read:?}");
    if generation.has(Operation::ExtendQosSessionDuration) {
        let extended = client.extend_qos_session_duration(token, &created.session_id, 60).await?;
        assert!(extended.granted_duration >= read.granted_duration);
    }
    if generation.has(Operation::RetrieveSessions) {
        let list = client.retrieve_sessions(token, session.device.as_ref()).await?;
        assert!(list.complete && list.sessions.iter().any(|one| one.session_id == created.session_id), "{generation}: {list:?}");
    }
    client.delete_session(token, &created.session_id).await?;
    let gone = client.get_session(token, &created.session_id).await.unwrap_err();
    assert_eq!(gone.class, FaultClass::Gone, "{generation}");
    Ok(())
}

#[tokio::test]
async fn client_and_simulator_understand_each_other_within_the_documents() {
    let mut summary = Summary::new(Side::Both);
    for form in FORMS {
        let Some(script) = Script::start(form, Requests::Agree).await else { return };
        let client = Client::new(settings(&script.contract, &script.proxy)).unwrap();
        let two_legged = AccessToken::new(DEFAULT_TOKEN);
        let (mut lived, mut refused) = (0, Vec::new());
        for (name, session) in inputs::table().into_iter().filter(|(_, session)| fits(form, session)) {
            let token = if session.device.is_some() { two_legged.clone() } else { AccessToken::new("three-legged") };
            match life(&client, &token, &session).await {
                Ok(()) => lived += 1,
                Err(fault) if matches!(fault.class, FaultClass::NotExpressible { .. }) => {}
                Err(fault) => refused.push(format!("{name} ({:?})", fault.class)),
            }
        }
        if form.generation >= Generation::V0_9 {
            assert!(!client.profiles(&two_legged).await.unwrap().is_empty());
            assert_eq!(client.get_qos_profile(&two_legged, "QOS_E").await.unwrap().name, "QOS_E");
            assert!(client.get_qos_profile(&two_legged, "QOS_NONE").await.is_err());
        }
        if form.generation.has(Operation::RetrieveQosProfiles) {
            let filter = ProfileFilter { name: Some("QOS_S".into()), status: None };
            assert_eq!(client.retrieve_qos_profiles(&two_legged, None, &filter).await.unwrap().len(), 1);
        }
        println!("{form}: {lived} sessions lived, and the provider refused: {}", refused.join(", "));
        assert!(lived >= 15, "{form}: only {lived} sessions lived");
        summary.add(script.contract.clone(), script.proxy.tally());
    }
    summary.judge_random();
}
