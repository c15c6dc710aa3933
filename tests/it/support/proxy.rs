//! A reverse proxy on loopback that a test puts between the operator and one side of it (API server or provider). It speaks plain
//! HTTP/1.1 to its clients, adds nothing to what it passes on, and asks a hook about every call: the hook forwards it, answers by
//! itself (a stale read, for instance), or cuts the connection. Upgrades (exec, port-forward) are not passed on.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, Request, Response};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reqwest::{Certificate, redirect, retry};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// More than any request of ours has.
const LARGEST_REQUEST: usize = 4 * 1024 * 1024;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// Whether it may change something.
    pub(crate) fn mutates(&self) -> bool {
        [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(&self.method)
    }

    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What becomes of a call.
pub(crate) enum Reply {
    Answer(Response<Body>),
    /// The connection is closed without a byte of an answer.
    Cut,
}

/// Asked about every call. It runs to its end even when the client goes away, as a request that is on the wire does.
pub(crate) type Hook = Arc<dyn Fn(Call, Upstream) -> BoxFuture<'static, Reply> + Send + Sync>;

/// The server behind the proxy.
#[derive(Clone)]
pub(crate) struct Upstream {
    client: reqwest::Client,
    origin: String,
}

impl Upstream {
    /// `url` may have a path, which does not count: calls come with theirs. `authorities` are DER certificates.
    pub(crate) fn new(url: &str, authorities: &[Vec<u8>]) -> Self {
        let origin = url::Url::parse(url).unwrap().origin().ascii_serialization();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            // A fresh connection for each call: none is repeated because a kept one was closed meanwhile.
            .pool_max_idle_per_host(0);
        if !authorities.is_empty() {
            let certificates = authorities.iter().map(|der| Certificate::from_der(der).unwrap());
            builder = builder.tls_certs_only(certificates);
        }
        Self { client: builder.build().unwrap(), origin }
    }

    /// Forwards the call and returns the answer's head, with its body as it comes: a watch goes on.
    pub(crate) async fn forward(&self, call: &Call) -> reqwest::Result<Response<Body>> {
        let mut headers = call.headers.clone();
        for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let url = format!("{}{}", self.origin, call.target);
        let request = self.client.request(call.method.clone(), url).headers(headers).body(call.body.clone());
        let answer = Response::<reqwest::Body>::from(request.send().await?);
        let (mut head, body) = answer.into_parts();
        for name in [CONNECTION, TRANSFER_ENCODING] {
            head.headers.remove(name);
        }
        Ok(Response::from_parts(head, Body::new(body)))
    }

    /// As [`Upstream::forward`]; a server that cannot be reached is a connection that ends.
    pub(crate) async fn pass(&self, call: &Call) -> Reply {
        self.forward(call).await.map_or(Reply::Cut, Reply::Answer)
    }
}

/// A running proxy. It ends when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Proxy {
    pub(crate) async fn start(upstream: Upstream, hook: Hook) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn({
            let stop = stop.clone();
            async move {
                while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
                    tokio::spawn(serve(stream, upstream.clone(), Arc::clone(&hook), stop.child_token()));
                }
            }
        });
        Self { address, _stop: stop.drop_guard() }
    }

    /// Its URL, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(stream: TcpStream, upstream: Upstream, hook: Hook, cut: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let (upstream, hook, cut) = (upstream.clone(), Arc::clone(&hook), cut.clone());
        async move {
            let (head, body) = request.into_parts();
            let reply = match to_bytes(Body::new(body), LARGEST_REQUEST).await {
                Ok(body) => {
                    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
                    let call = Call { method: head.method, target, headers: head.headers, body };
                    tokio::spawn(hook(call, upstream)).await.unwrap_or(Reply::Cut)
                }
                // The client went away in the middle of its request.
                Err(_) => Reply::Cut,
            };
            match reply {
                Reply::Answer(answer) => Ok::<_, std::convert::Infallible>(answer),
                Reply::Cut => {
                    cut.cancel();
                    std::future::pending().await
                }
            }
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Dropping the connection closes the socket.
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        _ = connection => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    async fn server() -> SocketAddr {
        let router = axum::Router::new().fallback(|request: Request<Body>| async move {
            let (head, body) = request.into_parts();
            let token = head.headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
            let body = String::from_utf8(to_bytes(body, 1000).await.unwrap().to_vec()).unwrap();
            format!("{} {} {token} {body}", head.method, head.uri)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    #[tokio::test]
    async fn the_proxy_forwards_method_target_headers_and_body_and_cuts_after_the_effect_when_told() {
        let upstream = Upstream::new(&format!("http://{}/any", server().await), &[]);
        let reached = Arc::new(AtomicBool::new(false));
        let hook: Hook = Arc::new({
            let reached = Arc::clone(&reached);
            move |call, upstream| {
                let reached = Arc::clone(&reached);
                async move {
                    let answer = upstream.pass(&call).await;
                    if call.path() != "/cut" {
                        return answer;
                    }
                    reached.store(matches!(answer, Reply::Answer(_)), Ordering::Relaxed);
                    Reply::Cut
                }
                .boxed()
            }
        });
        let proxy = Proxy::start(upstream, hook).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let send = |path: &str| client.post(format!("{}{path}", proxy.url())).bearer_auth("t").body("b").send();
        let answer = send("/a?b=c").await.unwrap().text().await.unwrap();
        assert_eq!(answer, "POST /a?b=c Bearer t b");
        send("/cut").await.unwrap_err();
        assert!(reached.load(Ordering::Relaxed));
        assert!(send("/after").await.is_ok(), "the next call has a connection of its own");
    }
}
