//! Bodies, time and places have bounds.

use super::*;

#[tokio::test]
async fn an_answer_is_bounded_however_it_comes() {
    let endless = get(|| async {
        AxumBody::from_stream(stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b'x'; 4096]))))
    });
    let address = serve(Router::new().route("/endless", endless)).await;
    let many = (0..100_000).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let few = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let head = "HTTP/1.1 200 OK\r\n";
    let rows: Vec<(&str, Vec<u8>, Reason)> = vec![
        ("10 GB that are told", format!("{head}content-length: 10737418240\r\n\r\nx").into(), Reason::AnswerTooLarge),
        ("100,000 headers", format!("{head}{many}\r\n").into(), Reason::BadAnswer),
        ("200 headers", format!("{head}{few}\r\n").into(), Reason::BadAnswer),
        ("a header of 1 MB", format!("{head}x: {}\r\n\r\n", "y".repeat(1 << 20)).into(), Reason::BadAnswer),
        ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec(), Reason::BadAnswer),
        ("noise", vec![0xff; 4096], Reason::BadAnswer),
        ("less than it told", format!("{head}content-length: 10\r\n\r\nx").into(), Reason::Interrupted),
        ("a broken chunk", format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n").into(), Reason::Interrupted),
        ("nothing", Vec::new(), Reason::Interrupted),
    ];
    let outbound = Outbound::new(local());
    let failure = failure_of(&outbound, request(&format!("http://{address}/endless"))).await;
    assert_eq!(failure.reason(), Reason::AnswerTooLarge);
    for (what, text, reason) in rows {
        let address = saying(text).await;
        assert_eq!(failure_of(&outbound, request(&format!("http://{address}/"))).await.reason(), reason, "{what}");
    }
    let exact = Outbound::new(Policy { max_response: 3, ..local() });
    let fits = saying("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").await;
    assert_eq!(&*exact.send(request(&format!("http://{fits}/")), far()).await.unwrap().body, b"abc");
    let head = saying("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n").await;
    let asked = Request { method: "HEAD".into(), ..request(&format!("http://{head}/")) };
    assert!(exact.send(asked, far()).await.unwrap().body.is_empty(), "the length is that of another answer");
}

/// Less than the time that a policy of these tests gives, and more than a busy machine takes.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_given_up_in_time() {
    // It takes connections, as the system does for it, and says nothing of TLS.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let outbound = Outbound::new(policy(&["https://127.0.0.1:*"]));
    let wanted = Options { connect_timeout: Some(Duration::from_millis(60)), ..Options::default() };
    let longer = Options { connect_timeout: Some(Duration::from_secs(3600)), ..Options::default() };
    let begun = Instant::now();
    let own = failure_of(&outbound, Request { options: wanted, ..request(&url) });
    let most = failure_of(&outbound, Request { options: longer, ..request(&url) });
    tokio::pin!(most);
    // However busy the machine is, the shorter of two times is over first.
    let first = tokio::select! {
        biased;
        _ = own => "its own time",
        _ = &mut most => "the most",
    };
    assert_eq!(first, "its own time", "where five seconds are the most");
    most.await;
    assert!(begun.elapsed() < Duration::from_secs(15), "nobody can have more");
}

#[tokio::test]
async fn a_server_that_hangs_or_drips_is_left_in_time() {
    let hanging = raw(|connection| async move {
        std::future::pending::<()>().await;
        drop(connection);
    })
    .await;
    let dripping = raw(|mut connection| async move {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        while connection.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let short = Duration::from_millis(60);
    let options = Options { follow_redirects: true, ..Options::default() };
    let (own, strict) = (Outbound::new(local()), Outbound::new(Policy { timeout: short, ..local() }));
    for address in [hanging, dripping] {
        let asked = || request(&format!("http://{address}/"));
        let told = Request { options: Options { timeout: Some(short), ..options }, ..asked() };
        assert_eq!(failure_of(&own, told).await.reason(), Reason::TimedOut, "the request's own time");
        let longer = Request { options: Options { timeout: Some(Duration::from_secs(3600)), ..options }, ..asked() };
        assert_eq!(failure_of(&strict, longer).await.reason(), Reason::TimedOut, "the bindings' time");
        let failure = own.send(asked(), Instant::now() + short).await.unwrap_err();
        assert_eq!(failure.reason(), Reason::TimedOut, "the caller's time");
    }
    let no_head =
        Request { options: Options { head_timeout: Some(short), ..options }, ..request(&format!("http://{hanging}/")) };
    let begun = Instant::now();
    assert_eq!(own.open(no_head, far()).await.unwrap_err().reason(), Reason::TimedOut);
    assert!(begun.elapsed() < SOON, "the head's own time");
    // The first piece has to come within it as well.
    let idle = Options { idle_timeout: Some(Duration::from_secs(1)), ..options };
    let stalled = raw(|mut connection| async move {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nx").await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut opened =
        own.open(Request { options: idle, ..request(&format!("http://{stalled}/")) }, far()).await.unwrap();
    assert_eq!(opened.body.chunk().await.unwrap().unwrap(), "x");
    let begun = Instant::now();
    assert_eq!(opened.body.chunk().await.unwrap_err().reason(), Reason::TimedOut);
    assert!(begun.elapsed() < SOON, "the time between pieces");
    assert_eq!(opened.body.chunk().await.unwrap(), None, "nothing comes after an error");
}

#[tokio::test]
async fn a_body_is_bounded_while_it_is_sent() {
    let address = serve(Router::new().fallback(any(|body: Bytes| async move { body.len().to_string() }))).await;
    let outbound = Outbound::new(Policy { max_request: 10_000, ..local() });
    let post = |body| Request { method: "POST".into(), body, ..request(&format!("http://{address}/")) };
    let chunks = |count| Body::Stream(Box::pin(stream::repeat(Bytes::from_static(&[b'x'; 1000])).take(count).map(Ok)));
    assert_eq!(&*outbound.send(post(chunks(10)), far()).await.unwrap().body, b"10000");
    assert_eq!(failure_of(&outbound, post(chunks(11))).await.reason(), Reason::RequestTooLarge);
    assert_eq!(failure_of(&outbound, post(chunks(usize::MAX))).await.reason(), Reason::RequestTooLarge);
    let whole = Body::Whole(vec![0; 10_001].into());
    assert_eq!(failure_of(&outbound, post(whole)).await.reason(), Reason::RequestTooLarge);
    let broken = Body::Stream(Box::pin(stream::once(async { Err(io::Error::other("the guest gave up").into()) })));
    assert_eq!(failure_of(&outbound, post(broken)).await.reason(), Reason::Interrupted);
}

#[tokio::test]
async fn who_has_all_places_taken_waits_for_itself_alone() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, gate) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = get(move || {
        let (inside, gate) = (Arc::clone(&inside), Arc::clone(&gate));
        async move {
            inside.notify_one();
            gate.notified().await;
            "slow"
        }
    });
    let address = serve(Router::new().route("/slow", slow).route("/", get(|| async { "quick" }))).await;
    let one = Arc::new(Outbound::new(Policy { concurrency: 1, ..local() }));
    let other = Outbound::new(Policy { concurrency: 1, ..local() });
    let held = tokio::spawn({
        let (one, url) = (Arc::clone(&one), format!("http://{address}/slow"));
        async move { one.send(request(&url), far()).await }
    });
    entered.notified().await;
    let quick = || request(&format!("http://{address}/"));
    let failure = one.send(quick(), Instant::now() + Duration::from_millis(30)).await.unwrap_err();
    assert_eq!(failure.reason(), Reason::Busy);
    assert_eq!(
        failure_of(&one, request("http://10.0.0.1/")).await.reason(),
        Reason::HostNotAllowed,
        "no place is needed"
    );
    assert_eq!(&*other.send(quick(), far()).await.unwrap().body, b"quick");
    let waiting = tokio::spawn({
        let (one, request) = (Arc::clone(&one), quick());
        async move { one.send(request, far()).await }
    });
    release.notify_one();
    assert_eq!(&*held.await.unwrap().unwrap().body, b"slow");
    assert_eq!(&*waiting.await.unwrap().unwrap().body, b"quick");
    // A place belongs to an answer until its body is done or dropped.
    let opened = one.open(quick(), far()).await.unwrap();
    assert_eq!(one.send(quick(), Instant::now() + Duration::from_millis(30)).await.unwrap_err().reason(), Reason::Busy);
    drop(opened);
    assert!(one.send(quick(), far()).await.is_ok());
}

#[tokio::test]
async fn guests_that_may_ask_otherwise_share_places_and_counts() {
    let address = serve(Router::new().route("/", get(|| async { "quick" }))).await;
    let all = Outbound::new(Policy { concurrency: 1, enabled: false, ..local() });
    let some = all.enabled(true);
    let quick = || request(&format!("http://{address}/"));
    let soon = || Instant::now() + Duration::from_millis(30);
    assert_eq!(all.send(quick(), far()).await.unwrap_err().reason(), Reason::Disabled);
    let opened = some.open(quick(), far()).await.unwrap();
    let others = all.enabled(true);
    assert_eq!(others.send(quick(), soon()).await.unwrap_err().reason(), Reason::Busy, "the only place is taken");
    drop(opened);
    assert!(others.send(quick(), far()).await.is_ok());
    let counts = all.tally().counts();
    assert_eq!((counts.answered, counts.failed), (2, vec![(Reason::Disabled, 1), (Reason::Busy, 1)]));
}

#[tokio::test]
async fn what_is_no_text_is_none_where_text_is_wanted() {
    let address =
        serve(Router::new().fallback(get(|| async { (StatusCode::OK, [0xff_u8, 0xfe]).into_response() }))).await;
    let outbound = Outbound::new(local());
    let url = format!("http://{address}/");
    assert_eq!(&*outbound.send(request(&url), far()).await.unwrap().body, [0xff, 0xfe]);
    let text = Request { options: Options { text_only: true, ..Options::default() }, ..request(&url) };
    assert_eq!(failure_of(&outbound, text).await.reason(), Reason::NotText);
}
