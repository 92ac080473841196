//! `DATABASE_URL` with an IPv6 address.

use super::hookfast;
use hookfast::internals::dev::postgres::{Cluster, ClusterOptions, Durability};

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_address_is_in_brackets_in_database_url() {
    let mut options = ClusterOptions::temporary(Durability::Fast);
    options
        .settings
        .push(("listen_addresses".to_owned(), "127.0.0.1, ::1".to_owned()));
    let cluster = match Cluster::start(options).await {
        Ok(cluster) => cluster,
        Err(error) if std::net::TcpListener::bind("[::1]:0").is_err() => {
            #[allow(clippy::print_stderr, reason = "a skipped test reports it")]
            {
                eprintln!("skipped: this machine has no ::1 ({error})");
            }
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let mut url = url::Url::parse(&cluster.url()).expect("a URL");
    url.set_host(Some("[::1]")).expect("a host");
    let (_, printed) = hookfast(
        &["check"],
        &[
            ("DATABASE_URL", url.as_str()),
            ("AIRALO_CLIENT_SECRET", "0123456789abcdef"),
        ],
    );
    let port = url.port().expect("a port");
    assert!(
        printed.contains(&format!(
            "ok       database: postgres://hookfast@[::1]:{port}/"
        )),
        "{printed}"
    );
    let (migrated, printed) = hookfast(&["migrate"], &[("DATABASE_URL", url.as_str())]);
    assert!(migrated, "{printed}");
}
