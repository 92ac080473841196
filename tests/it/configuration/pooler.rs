//! A pooler that drops the settings a session requests at its start: `check` and the log of a start
//! report that.

use super::hookfast;
use crate::support::{
    postgres::database,
    server::{AIRALO_SECRET, Server},
};
use std::{net::SocketAddr, process::Command};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// The request for an encrypted connection, which precedes everything else.
const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// A message of the beginning of a connection, without its length.
async fn first_message(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = client.read_u32().await?;
    let mut message = vec![0; length.saturating_sub(4) as usize];
    client.read_exact(&mut message).await?;
    Ok(message)
}

/// The start-up message without its parameter `options`: a version, then names and values, each
/// with a NUL.
fn without_options(message: &[u8]) -> Vec<u8> {
    let (version, parameters) = message.split_at(4);
    let texts: Vec<&[u8]> = parameters
        .split(|byte| *byte == 0)
        .take_while(|text| !text.is_empty())
        .collect();
    let kept = texts
        .chunks(2)
        .filter(|pair| pair[0] != b"options")
        .flatten();
    let parameters: Vec<u8> = kept.flat_map(|text| [text, &b"\0"[..]].concat()).collect();
    let length = u32::try_from(4 + version.len() + parameters.len() + 1).expect("short");
    [&length.to_be_bytes()[..], version, &parameters, b"\0"].concat()
}

/// Works like PgBouncer with `ignore_startup_parameters = options`.
async fn pooler(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut message = first_message(&mut client).await?;
                if message == SSL_REQUEST {
                    client.write_all(b"N").await?;
                    message = first_message(&mut client).await?;
                }
                let mut server = TcpStream::connect(server).await?;
                server.write_all(&without_options(&message)).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_drops_our_settings_is_named() {
    let database = database().await;
    let mut url = url::Url::parse(database.url()).expect("a URL");
    let server = format!("127.0.0.1:{}", url.port().expect("a port"))
        .parse()
        .expect("an address");
    let address = pooler(server).await;
    url.set_host(Some("127.0.0.1")).expect("a host");
    url.set_port(Some(address.port())).expect("a port");
    let printed =
        "the server does not receive Hookfast's startup settings, so there is a pooler in between";
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("AIRALO_CLIENT_SECRET", AIRALO_SECRET),
    ];
    let (passed, checked) = hookfast(&["check"], &environment);
    assert!(
        !passed && checked.contains(&format!("error    {printed}")),
        "{checked}"
    );
    let (_, direct) = hookfast(
        &["check"],
        &[("DATABASE_URL", database.url()), environment[1]],
    );
    assert!(
        direct.contains("ok       database") && !direct.contains(printed),
        "{direct}"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .args(["serve", "--listen", ":0", "--admin-listen", ":0"])
        .envs(environment)
        .env_remove("HOOKFAST_CONFIG");
    let served = Server::start_as_it_is(command);
    served.logged(printed).await;
}
