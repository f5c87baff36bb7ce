//! Whom connections go to.

use super::*;

/// Answers of names, one after the other, the last one for ever.
#[derive(Debug)]
struct Scripted {
    answers: Mutex<VecDeque<Option<IpAddr>>>,
    asked: AtomicU32,
}

impl Scripted {
    fn new(answers: &[Option<&str>]) -> Arc<Self> {
        let answers = answers.iter().map(|answer| answer.map(|text| text.parse().unwrap())).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: AtomicU32::new(0) })
    }
}

#[async_trait]
impl Lookup for Scripted {
    async fn lookup(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock();
        let answer = if answers.len() > 1 { answers.pop_front().flatten() } else { answers.front().copied().flatten() };
        answer.map(|address| vec![SocketAddr::new(address, 0)]).ok_or_else(|| io::Error::other("no such name"))
    }
}

/// A server that speaks before it is asked.
async fn blurting(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.write_all(text.as_bytes()).await;
        }
    });
    address
}

/// A server whose certificate nobody vouches for.
async fn self_signed() -> SocketAddr {
    crate::net::tls::install();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && connection.read_buf(&mut head).await.is_ok_and(|n| n > 0) {}
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
            let _ = connection.shutdown().await;
        }
    });
    address
}

#[tokio::test]
async fn a_name_that_changes_its_address_leads_nowhere_else() {
    // The second listener has the port of the first, at an address that is not allowed.
    let hits = Arc::new(AtomicU32::new(0));
    let (good, other) = loop {
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(other) = TcpListener::bind(("127.0.0.2", good.local_addr().unwrap().port())).await {
            break (good, other);
        }
    };
    let port = good.local_addr().unwrap().port();
    let router = Router::new().route("/", get(|| async { ([("connection", "close")], "vetted") }));
    tokio::spawn(async move { axum::serve(good, router).await });
    let counted = Arc::clone(&hits);
    tokio::spawn(async move {
        while other.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let names = Scripted::new(&[Some("127.0.0.1"), Some("127.0.0.2")]);
    let policy = Policy {
        allow_private: vec!["127.0.0.1/32".parse().unwrap()],
        ..policy(&[&format!("http://rebinding.example:{port}")])
    };
    let outbound = Outbound::with_lookup(policy, Arc::clone(&names) as Arc<dyn Lookup>);
    let url = format!("http://rebinding.example:{port}/");
    assert_eq!(&*outbound.send(request(&url), far()).await.unwrap().body, b"vetted");
    assert_eq!(names.asked.load(Ordering::Relaxed), 1, "what was judged is what is connected to");
    let failure = failure_of(&outbound, request(&url)).await;
    assert_eq!(failure.reason(), Reason::AddressNotPublic);
    assert!(failure.message().contains("rebinding.example is a loopback address"), "{failure}");
    assert_eq!(hits.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn who_cannot_be_reached_is_told_apart() {
    // Nobody else gets the port, and nobody listens.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let closed = socket.local_addr().unwrap();
    let outbound = Outbound::with_lookup(
        policy(&["http://127.0.0.1:*", "https://127.0.0.1:*", "http://nowhere.example"]),
        Scripted::new(&[None]),
    );
    assert_eq!(failure_of(&outbound, request(&format!("http://{closed}/"))).await.reason(), Reason::NotConnected);
    assert_eq!(failure_of(&outbound, request("http://nowhere.example/")).await.reason(), Reason::NameNotFound);
    let plain = blurting("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert_eq!(failure_of(&outbound, request(&format!("https://{plain}/"))).await.reason(), Reason::TlsFailed);
    let careless = Options { allow_insecure: true, ..Options::default() };
    let insecure = Request { options: careless, ..request(&format!("https://{plain}/")) };
    assert_eq!(failure_of(&outbound, insecure).await.reason(), Reason::InsecureNotAllowed);
    assert_eq!(
        outbound.tally().counts(),
        Counts {
            answered: 0,
            failed: vec![
                (Reason::InsecureNotAllowed, 1),
                (Reason::NameNotFound, 1),
                (Reason::NotConnected, 1),
                (Reason::TlsFailed, 1),
            ]
        }
    );
}

#[tokio::test]
async fn connections_are_kept_for_their_own_tenant() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while connection.read_buf(&mut head).await.is_ok_and(|n| n > 0) {
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let _ = connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                    }
                }
            });
        }
    });
    let (one, other) = (Outbound::new(local()), Outbound::new(local()));
    for outbound in [&one, &one, &one, &other] {
        assert_eq!(outbound.send(request(&format!("http://{address}/")), far()).await.unwrap().status, 204);
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_certificate_is_verified_unless_bindings_and_guest_both_say_otherwise() {
    let address = self_signed().await;
    let url = format!("https://{address}/");
    let entry = format!("https://{address}");
    let strict = Outbound::new(policy(&[&entry]));
    let lax = Outbound::new(Policy { insecure: allowed(&[&entry]), ..policy(&[&entry]) });
    let careless = || Request { options: Options { allow_insecure: true, ..Options::default() }, ..request(&url) };
    for (outbound, request, expected) in [
        (&strict, request(&url), Some(Reason::TlsFailed)),
        (&strict, careless(), Some(Reason::InsecureNotAllowed)),
        (&lax, request(&url), Some(Reason::TlsFailed)),
        (&lax, careless(), None),
        // A connection that was not verified does not serve a request that wants it to be.
        (&lax, request(&url), Some(Reason::TlsFailed)),
    ] {
        let answer = outbound.send(request, far()).await;
        assert_eq!(answer.as_ref().err().map(Failure::reason), expected, "{answer:?}");
    }
}
