//! Where requests may go.

use super::*;

fn locator(text: &str) -> Locator {
    use crate::ingest::locator::{Base, Scheme};
    Locator::parse(text, &Base::here().unwrap(), Scheme::Fs).unwrap()
}

#[tokio::test]
async fn a_remote_index_reaches_neither_files_nor_private_hosts() {
    let server = Server::of_file(BYTES).await;
    let place = Place::new();
    let fetcher = place.fetcher();
    let named = format!("http://localhost:{}/p", server.port());
    let mapped = format!("http://[::ffff:127.0.0.1]:{}/p", server.port());
    for text in
        [&server.url("/p"), &named, &mapped, "https://169.254.169.254/latest", "https://10.0.0.1/p", "/etc/passwd"]
    {
        assert_eq!(code(&fetcher, &locator(text), Origin::RemoteIndex).await, Code::LocatorDenied, "{text}");
    }
    assert_eq!(server.asked(), [""; 0]);
    fetch(&fetcher, &locator(&named)).await.unwrap();
    // It is there now, and still nobody else may name it.
    assert_eq!(code(&fetcher, &locator(&named), Origin::RemoteIndex).await, Code::LocatorDenied);
}

#[tokio::test]
async fn a_host_that_is_allowed_is_reached() {
    let server = Server::of_file(BYTES).await;
    let place = Place::new();
    let named = locator(&format!("http://localhost:{}/p", server.port()));
    let by_name = place.fetcher_with(|options| options.allowed_hosts = vec!["localhost".parse().unwrap()]);
    by_name.fetch(&named, None, Origin::RemoteIndex).await.unwrap();
    assert_eq!(code(&by_name, &server.locator("/p"), Origin::RemoteIndex).await, Code::LocatorDenied);
    let by_net = place.fetcher_with(|options| options.allowed_hosts = vec!["127.0.0.0/8".parse().unwrap()]);
    by_net.fetch(&server.locator("/p"), None, Origin::RemoteIndex).await.unwrap();
    let all = place.fetcher_with(|options| options.allow_private = true);
    all.fetch(&server.locator("/p"), None, Origin::RemoteIndex).await.unwrap();
}

#[tokio::test]
async fn http_to_other_hosts_takes_leave() {
    let place = Place::new();
    for origin in [Origin::Local, Origin::RemoteIndex] {
        assert_eq!(code(&place.fetcher(), &locator("http://packs.invalid/p"), origin).await, Code::LocatorDenied);
    }
    let fetcher = place.fetcher_with(|options| {
        options.allow_http = true;
        options.attempts = 1;
    });
    // The name does not exist, which is found out by asking.
    assert_eq!(code(&fetcher, &locator("http://packs.invalid/p"), Origin::Local).await, Code::FetchFailed);
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_they_may_lead() {
    let server = Server::start(|request, _| match request.path.as_str() {
        "/a" => Reply::redirect("b/c?sig=canary"),
        "/b/c?sig=canary" => Reply::redirect("/p"),
        "/round" => Reply::redirect("/round"),
        "/file" => Reply::redirect("file:///etc/passwd"),
        "/private" => Reply::redirect("http://10.255.255.1/p"),
        "/metadata" => Reply::redirect("https://[::ffff:169.254.169.254]/latest"),
        "/http" => Reply::redirect("http://packs.invalid/p"),
        "/nowhere" => Reply::status(302),
        _ => Reply::file(request, BYTES, "1"),
    })
    .await;
    let place = Place::new();
    let fetcher = place.fetcher_with(|options| options.allowed_hosts = vec!["127.0.0.1".parse().unwrap()]);
    for origin in [Origin::Local, Origin::RemoteIndex] {
        fetcher.fetch(&server.locator("/a"), None, origin).await.unwrap();
    }
    for (path, code) in [
        ("/round", Code::RedirectRefused),
        ("/file", Code::RedirectRefused),
        ("/nowhere", Code::RedirectRefused),
        ("/private", Code::LocatorDenied),
        ("/metadata", Code::LocatorDenied),
        ("/http", Code::LocatorDenied),
    ] {
        let before = server.asked().len();
        assert_eq!(super::code(&fetcher, &server.locator(path), Origin::RemoteIndex).await, code, "{path}");
        assert!(server.asked().len() - before <= 11, "{path}");
    }
}

#[tokio::test]
async fn credentials_do_not_go_along_to_another_host() {
    let server = Server::start(|request, _| {
        let port = request.header("host").and_then(|host| host.rsplit_once(':')).map(|(_, port)| port.to_owned());
        match request.path.as_str() {
            "/a" => Reply::redirect(format!("http://localhost:{}/p", port.unwrap_or_default())),
            _ => Reply::file(request, BYTES, "1"),
        }
    })
    .await;
    let place = Place::new();
    let netrc = place.dir.path().join("netrc");
    fs::write(&netrc, "machine 127.0.0.1 login ann password canary\nmachine localhost password canary").unwrap();
    let fetcher = place.fetcher_with(|options| options.netrc = Some(netrc.clone()));
    fetch(&fetcher, &server.locator("/a")).await.unwrap();
    let sent: Vec<(String, bool)> = server
        .requests()
        .into_iter()
        .map(|request| (request.path.clone(), request.header("authorization") == Some("Basic YW5uOmNhbmFyeQ==")))
        .collect();
    let (a, p) = (("/a".to_owned(), true), ("/p".to_owned(), false));
    assert_eq!(sent, [a.clone(), p.clone(), a, p]);
}

#[cfg(not(all(feature = "oci", feature = "object-store")))]
#[tokio::test]
async fn what_was_not_built_in_is_said() {
    let place = Place::new();
    #[cfg(not(feature = "oci"))]
    assert_eq!(
        code(&place.fetcher(), &locator("oci://registry.example.com/a/b"), Origin::Local).await,
        Code::SourceMissing
    );
    #[cfg(not(feature = "object-store"))]
    assert_eq!(code(&place.fetcher(), &locator("s3://bucket/b"), Origin::Local).await, Code::SourceMissing);
}
