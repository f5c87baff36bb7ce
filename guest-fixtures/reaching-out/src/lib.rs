//! A node that tries to reach out by way of WASI: requests, connections, names, files, variables.

use node_kit::{Failure, Operation, Operations, Value, json, text};
use wasip2::cli::environment;
use wasip2::filesystem::preopens;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest};
use wasip2::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket};

struct ReachingOut;

impl Operations for ReachingOut {
    const NAME: &'static str = "reaching-out";
    const ALL: &'static [Operation] = &[
        ("request", "Asks `host` for its front page and answers the status or the error"),
        ("connect", "Connects to port 80 of this machine and answers the error"),
        ("resolve", "Looks up the addresses of `host` and answers the error"),
        ("look", "Answers how many directories, variables and arguments there are"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        match op {
            "request" => Ok(match request(text(&input, "host")?) {
                Ok(status) => json!({ "status": status }),
                Err(error) => json!({ "error": error }),
            }),
            "connect" => Ok(json!({ "error": connect() })),
            "resolve" => {
                let found =
                    ip_name_lookup::resolve_addresses(&instance_network::instance_network(), text(&input, "host")?);
                let error = match found {
                    Ok(stream) => {
                        stream.subscribe().block();
                        stream.resolve_next_address().err()
                    }
                    Err(error) => Some(error),
                };
                Ok(json!({ "error": error.map(|error| error.name().to_owned()) }))
            }
            _ => Ok(json!({
                "directories": preopens::get_directories().len(),
                "variables": environment::get_environment().len(),
                "arguments": environment::get_arguments().len(),
            })),
        }
    }
}

fn request(host: &str) -> Result<u16, String> {
    let request = OutgoingRequest::new(Fields::new());
    request.set_authority(Some(host)).map_err(|()| "the authority is refused")?;
    request.set_path_with_query(Some("/")).map_err(|()| "the path is refused")?;
    let response = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(response))) => Ok(response.status()),
        Some(Ok(Err(error))) => Err(format!("{error:?}")),
        _ => Err("no answer".to_owned()),
    }
}

fn connect() -> Option<String> {
    let socket = match tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4) {
        Ok(socket) => socket,
        Err(error) => return Some(error.name().to_owned()),
    };
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 80, address: (127, 0, 0, 1) });
    if let Err(error) = socket.start_connect(&instance_network::instance_network(), address) {
        return Some(error.name().to_owned());
    }
    socket.subscribe().block();
    socket.finish_connect().err().map(|error| error.name().to_owned())
}

node_kit::export!(ReachingOut);
