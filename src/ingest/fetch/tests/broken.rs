//! Servers and connections that break.

use super::*;

#[tokio::test]
async fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let server = Server::start(|request, count| {
        let reply = Reply::file(request, BYTES, "1");
        match count {
            1 => reply.cut(5),
            2 => reply.cut(4),
            _ => reply,
        }
    })
    .await;
    let place = Place::new();
    let (_, bytes) = fetch(&place.fetcher(), &server.locator("/p")).await.unwrap();
    assert_eq!(bytes, BYTES);
    assert_eq!(server.asked(), ["HEAD /p", "GET /p", "GET /p bytes=5-", "GET /p bytes=9-"]);
    assert_eq!(server.requests()[2].header("if-range"), Some("\"1\""));
    assert_eq!(place.blobs().len(), 1);
}

#[tokio::test]
async fn a_server_without_ranges_is_read_from_the_beginning() {
    let server = Server::start(|request, count| {
        let mut request = request.clone();
        request.headers.remove("range");
        let reply = Reply::file(&request, BYTES, "1");
        if count == 1 { reply.cut(5) } else { reply }
    })
    .await;
    let (_, bytes) = fetch(&Place::new().fetcher(), &server.locator("/p")).await.unwrap();
    assert_eq!(bytes, BYTES);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn without_a_version_no_rest_is_put_behind_a_beginning() {
    let server = Server::start(|request, count| {
        let bytes = if count < 2 { BYTES } else { b"ABCDEFGHIJKLMNOP" };
        let reply = Reply::file(request, bytes, "").without("etag");
        if count == 1 { reply.cut(5) } else { reply }
    })
    .await;
    let (_, bytes) = fetch(&Place::new().fetcher(), &server.locator("/p")).await.unwrap();
    assert_eq!(bytes, &b"ABCDEFGHIJKLMNOP"[..]);
    assert_eq!(server.asked(), ["HEAD /p", "GET /p", "HEAD /p", "GET /p"]);
}

#[tokio::test]
async fn a_version_that_does_not_tell_bytes_apart_is_none_for_a_rest() {
    let server = Server::start(|request, count| {
        let reply = Reply::file(request, BYTES, "1").header("etag", "W/\"1\"");
        if count == 1 { reply.cut(5) } else { reply }
    })
    .await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    assert_eq!(fetch(&place.fetcher(), &locator).await.unwrap().1, BYTES);
    assert_eq!(server.asked(), ["HEAD /p", "GET /p", "HEAD /p", "GET /p"]);
    // For all of it, it is good enough.
    assert_eq!(fetch(&place.fetcher(), &locator).await.unwrap().0.outcome, Outcome::Cached);
}

#[tokio::test]
async fn what_changes_while_it_is_read_is_read_anew() {
    const OTHER: &[u8] = b"ABCDEFGHIJKLMNOPQRST";
    // Between the look and the reading, and between two parts.
    for (change, cut) in [(1, None), (2, Some(5))] {
        let server = Server::start(move |request, count| {
            let reply =
                if count < change { Reply::file(request, BYTES, "1") } else { Reply::file(request, OTHER, "2") };
            match cut {
                Some(cut) if count == 1 => reply.cut(cut),
                _ => reply,
            }
        })
        .await;
        let (fetched, bytes) = fetch(&Place::new().fetcher(), &server.locator("/p")).await.unwrap();
        assert_eq!((bytes.as_ref(), fetched.digest), (OTHER, Digest::of(OTHER)), "{change}");
    }
    let server = Server::start(|request, count| Reply::file(request, BYTES, &count.to_string())).await;
    let place = Place::new();
    assert_eq!(code(&place.fetcher(), &server.locator("/p"), Origin::Local).await, Code::SourceChanged);
    place.assert_empty();
}

#[tokio::test]
async fn a_rest_of_another_size_or_place_is_refused() {
    for (range, code) in [
        ("bytes 4-15/16", Code::SourceAnswer),
        ("bytes 6-15/16", Code::SourceAnswer),
        // It is begun again, until there was enough of it.
        ("bytes 5-15/17", Code::FetchFailed),
        ("nonsense", Code::SourceAnswer),
    ] {
        let server = Server::start(move |request, _| {
            let reply = Reply::file(request, BYTES, "1");
            if reply.status == 206 { reply.header("content-range", range) } else { reply.cut(5) }
        })
        .await;
        let place = Place::new();
        assert_eq!(super::code(&place.fetcher(), &server.locator("/p"), Origin::Local).await, code, "{range}");
        place.assert_empty();
    }
}

#[tokio::test]
async fn what_stalls_is_given_up_after_a_bounded_number_of_times() {
    for stall in [0, 5] {
        let server = Server::start(move |request, _| {
            let reply = Reply::file(request, BYTES, "1");
            if request.method == "HEAD" { reply } else { reply.stall(stall.min(BYTES.len())) }
        })
        .await;
        let place = Place::new();
        let fetcher = place.fetcher_with(|options| {
            options.attempts = 3;
            options.timeouts.idle = Duration::from_millis(40);
        });
        let error = fetcher.fetch(&server.locator("/p"), None, Origin::Local).await.unwrap_err();
        assert_eq!(error.code(), Code::FetchFailed);
        assert!(error.message().contains("too slow"), "{error}");
        assert!(server.asked().len() <= 4, "{:?}", server.asked());
        place.assert_empty();
    }
}

#[tokio::test]
async fn all_of_it_together_takes_only_so_long() {
    let server = Server::start(|request, _| Reply::file(request, BYTES, "1").stall(3)).await;
    let place = Place::new();
    let fetcher = place.fetcher_with(|options| options.timeouts.total = Duration::from_millis(60));
    let error = fetcher.fetch(&server.locator("/p"), None, Origin::Local).await.unwrap_err();
    assert!(error.message().contains("60ms"), "{error}");
    place.assert_empty();
}

#[tokio::test]
async fn a_length_that_is_a_lie_is_found_out() {
    // More is promised than comes; another length is read than was seen; fewer bytes are announced than come.
    let more =
        Server::start(|request, _| Reply::file(request, BYTES, "1").header("content-length", "99").cut(16)).await;
    let other = Server::start(|request, _| {
        let reply = Reply::file(request, BYTES, "1");
        if request.method == "HEAD" { reply.header("content-length", "99") } else { reply }
    })
    .await;
    for (server, code) in [(more, Code::FetchFailed), (other, Code::SourceChanged)] {
        let place = Place::new();
        assert_eq!(super::code(&place.fetcher(), &server.locator("/p"), Origin::Local).await, code);
        place.assert_empty();
    }
    let fewer = Server::start(|request, _| Reply::file(request, BYTES, "1").header("content-length", "9")).await;
    let place = Place::new();
    let want = Some(Digest::of(BYTES));
    let error = place.fetcher().fetch(&fewer.locator("/p"), want, Origin::Local).await.unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch);
    place.assert_empty();
}

#[tokio::test]
async fn what_is_too_large_is_not_read_to_its_end() {
    let place = Place::new();
    let fetcher = place.fetcher_with(|options| options.max_bytes = 10);
    let declared = Server::of_file(BYTES).await;
    assert_eq!(code(&fetcher, &declared.locator("/p"), Origin::Local).await, Code::FetchTooLarge);
    assert_eq!(declared.asked(), ["HEAD /p"]);
    // Without a length it is counted as it comes, also if it never ends.
    let endless =
        Server::start(|request, _| Reply::file(request, &[0; 5000], "1").without("content-length").stall(5000)).await;
    assert_eq!(code(&fetcher, &endless.locator("/p"), Origin::Local).await, Code::FetchTooLarge);
    place.assert_empty();
}

#[tokio::test]
async fn what_is_packed_in_transit_is_refused() {
    let server = Server::start(|request, _| Reply::file(request, BYTES, "1").header("content-encoding", "gzip")).await;
    let place = Place::new();
    assert_eq!(code(&place.fetcher(), &server.locator("/p"), Origin::Local).await, Code::SourceAnswer);
    place.assert_empty();
    assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_a_clear_answer_is_taken() {
    let server = Server::start(|request, count| match count {
        0 => Reply::status(503).header("retry-after", "0"),
        2 => Reply::status(429),
        _ => Reply::file(request, BYTES, "1"),
    })
    .await;
    let (_, bytes) = fetch(&Place::new().fetcher(), &server.locator("/p")).await.unwrap();
    assert_eq!(bytes, BYTES);
    assert_eq!(server.asked(), ["HEAD /p", "HEAD /p", "GET /p", "GET /p"]);

    for (status, code, times) in [
        (404, Code::NotFound, 1),
        (401, Code::AccessRefused, 1),
        (500, Code::FetchFailed, 3),
        (418, Code::SourceAnswer, 1),
    ] {
        let server = Server::start(move |_, _| Reply::status(status)).await;
        let place = Place::new();
        let fetcher = place.fetcher_with(|options| options.attempts = 3);
        assert_eq!(super::code(&fetcher, &server.locator("/p"), Origin::Local).await, code, "{status}");
        assert_eq!(server.asked().len(), times, "{status}");
        place.assert_empty();
    }
    let server = Server::start(|_, _| Reply::status(503).header("retry-after", "9999")).await;
    assert_eq!(code(&Place::new().fetcher(), &server.locator("/p"), Origin::Local).await, Code::FetchFailed);
    assert_eq!(server.asked().len(), 1, "nobody waits that long");
}

#[tokio::test]
async fn who_gives_up_in_the_middle_leaves_nothing_behind() {
    let server = Server::start(|request, count| {
        let reply = Reply::file(request, BYTES, "1");
        if count == 1 { reply.stall(5) } else { reply }
    })
    .await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    let fetcher = place.fetcher();
    tokio::select! {
        _ = fetcher.fetch(&locator, None, Origin::Local) => panic!("it stalls"),
        () = server.stalled.notified() => {}
    }
    place.assert_empty();
    assert_eq!(fetch(&fetcher, &locator).await.unwrap().1, BYTES);
}
