//! The requests that the project's vectors expect of a client are requests that the simulator takes.

use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::{Office, SCOPE, told};

const VECTORS: [&str; 2] = [
    include_str!("../../../../tests/vectors/telefonica/token.json"),
    include_str!("../../../../tests/vectors/auth/client-credentials.json"),
];

#[tokio::test]
async fn the_requests_of_the_vectors_are_taken() {
    let sandbox = json!({"clientId": "mock_sandbox_app_id", "secret": "mock_sandbox_app_secret"});
    let office = Office::new(json!({"clients": [sandbox, {"clientId": "app-7", "secret": "s3cr&t=+"}]})).await;
    let files = VECTORS.map(|text| serde_json::from_str::<Value>(text).unwrap());
    let vectors = files.iter().flat_map(|file| file["vectors"].as_array().unwrap());
    let mut taken = Vec::new();
    for vector in vectors.filter(|vector| vector["expect"]["request"]["form"].is_object()) {
        let request = &vector["expect"]["request"];
        let id = office.ask(SCOPE).await;
        let form = request["form"].as_object().unwrap().iter().map(|(name, value)| {
            // That of the vector was never given out.
            (name.as_str(), if name == "auth_req_id" { id.as_str() } else { value.as_str().unwrap() })
        });
        let url: url::Url = request["url"].as_str().unwrap().parse().unwrap();
        let path = url.path().trim_start_matches("/oauth2");
        let call = office.bare(path, &form.collect::<Vec<_>>());
        let authorization = request["headers"]["Authorization"].as_str();
        let (status, body) = told(authorization.iter().fold(call, |call, value| call.header(AUTHORIZATION, *value))).await;
        assert_eq!(status, 200, "{}: {body}", vector["id"]);
        taken.push(vector["id"].as_str().unwrap());
    }
    assert_eq!(taken, ["token.tef-bc-authorize", "token.tef-bc-authorize-ipport", "token.tef-poll", "token.cc-post"]);
}
