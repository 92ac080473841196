//! The console, in this process, with a login of its own and people who log in with tickets.

mod access;
mod acts;
mod alerts;
mod checked;
mod comparison;
mod conflicts;
mod copies;
mod crawl;
mod dead_letters;
mod document;
mod events;
mod find;
mod guard;
mod handlers;
mod lists;
mod login;
mod matrix;
mod orders;
mod paging;
mod proxy;
mod psql;
mod requested_by;
mod sources;
mod statements;
mod tickets;

use crate::operate::HELPERS;
use crate::support::{
    raw_http::{Answer, Client},
    tcp_proxy::TcpProxy,
    world::{Handler, Source, World},
};
use hookfast::{
    CancellationToken,
    internals::{
        console::{Console, ConsoleSettings},
        domain::RoleNames,
        store::{ensure_roles, make_console_login},
    },
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::{net::SocketAddr, ops::Deref};
use tokio::net::TcpListener;
use url::form_urlencoded::byte_serialize;

const PASSWORD: &str = "login";

/// A database with the roles for people, and its console.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) address: SocketAddr,
    /// The roles belong to the cluster, which the tests share, so their names are unique.
    pub(crate) reader: String,
    pub(crate) support: String,
    pub(crate) operator: String,
    pub(crate) console: String,
    /// The login of the console.
    pub(crate) login: String,
    /// The same console, for what a reverse proxy sends.
    pub(crate) proxied: SocketAddr,
    stop: CancellationToken,
}

impl Deref for Site {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Somebody who has logged in.
pub(crate) struct Visitor<'a> {
    site: &'a Site,
    pub(crate) cookie: String,
}

/// A request, from its beginning to its headers.
pub(crate) struct Sent<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: String,
}

impl Site {
    /// A source with secret fields, two handlers, and the helpers of the tests of operators.
    pub(crate) async fn new() -> Self {
        let airalo = Source {
            search_fields: "{code,iccid,id,request_id}",
            secret_fields: "{lpa}",
            ..Source::new("airalo", "airalo")
        };
        let world = World::builder()
            .sources([airalo])
            .handlers([
                Handler::new("shop", "http", "{airalo.*}"),
                Handler::new("crm", "http", "{airalo.order.*}"),
            ])
            .build()
            .await;
        world.execute(HELPERS).await;
        Self::of(world, None).await
    }

    /// The console reaches its database through this proxy.
    pub(crate) async fn behind(proxy: &TcpProxy, world: World) -> Self {
        world.execute(HELPERS).await;
        Self::of(world, Some(proxy)).await
    }

    async fn of(world: World, proxy: Option<&TcpProxy>) -> Self {
        let name = world.text("current_database()").await;
        let role = |kind: &str| format!("{kind}_of_{name}");
        let (reader, support, operator, console, login) = (
            role("readers"),
            role("support"),
            role("operators"),
            role("console"),
            role("console_login"),
        );
        let named = |name: &str| Some(name.parse().expect("a role's name"));
        let names = RoleNames {
            reader: named(&reader),
            support: named(&support),
            operator: named(&operator),
            console: named(&console),
        };
        ensure_roles(&world.of, &names).await.expect("the roles");
        let is_made = make_console_login(&world.of, &login, PASSWORD).await;
        assert!(is_made.expect("a login"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let for_proxy = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxied = for_proxy.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let site = Self {
            world,
            address,
            reader,
            support,
            operator,
            console: console.clone(),
            login,
            proxied,
            stop: stop.clone(),
        };
        let settings = ConsoleSettings {
            role: console,
            url: None,
            is_development: false,
        };
        let mut url = url::Url::parse(&site.url_of(&site.login)).expect("a URL");
        if let Some(proxy) = proxy {
            let port = url::Url::parse(proxy.url()).expect("a URL").port();
            url.set_port(port).expect("a URL with a host");
        }
        let database = url.as_str().parse().expect("a URL");
        let console = Console::new(&database, settings);
        let behind = console.behind(proxy::settings(&site));
        tokio::spawn(behind.serve(for_proxy, stop.clone()));
        tokio::spawn(console.serve(listener, stop));
        site
    }

    /// The URL by which a role logs in.
    pub(crate) fn url_of(&self, role: &str) -> String {
        let mut url = url::Url::parse(self.world.url()).expect("a URL");
        url.set_username(role)
            .and_then(|()| url.set_password(Some(PASSWORD)))
            .expect("a URL with a host");
        url.into()
    }

    /// A connection as a role that may log in.
    pub(crate) async fn connect_as(&self, role: &str) -> PgConnection {
        PgConnection::connect(&self.url_of(role))
            .await
            .expect("a connection of the role")
    }

    /// Creates a person who is a member of a role. Returns the name of the login.
    pub(crate) async fn person(&self, name: &str, role: &str) -> String {
        self.database().login(name, &[role]).await;
        format!("{name}_of_{}", self.text("current_database()").await)
    }

    /// A ticket that a person gets in psql.
    pub(crate) async fn ticket(&self, person: &str) -> String {
        let ticket = "SELECT hookfast.console_ticket()";
        self.text_as(person, ticket).await.expect("a ticket")
    }

    /// The answer to a person in psql, or the SQLSTATE.
    pub(crate) async fn text_as(&self, person: &str, query: &str) -> Result<String, String> {
        let mut connection = self.connect_as(person).await;
        let answer = sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(query))
            .fetch_one(&mut connection)
            .await;
        answer.map(Option::unwrap_or_default).map_err(|error| {
            let code = error.as_database_error().and_then(|error| error.code());
            code.map_or_else(|| error.to_string(), |code| code.into_owned())
        })
    }

    /// Sends a request, by default from a page of the console.
    pub(crate) async fn send(&self, sent: Sent<'_>) -> Answer {
        self.send_to(self.address, sent).await
    }

    /// Sends a request to one of the console's listeners.
    pub(crate) async fn send_to(&self, address: SocketAddr, sent: Sent<'_>) -> Answer {
        let mut head = format!("{} {} HTTP/1.1\r\n", sent.method, sent.path);
        if !sent.headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {address}\r\n");
        }
        for (name, value) in &sent.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n{}", sent.body.len(), sent.body);
        let mut client = Client::connect(address).await;
        client.send(head).await;
        client.answer().await
    }

    /// Redeems a ticket.
    pub(crate) async fn redeem(&self, ticket: &str) -> Answer {
        let sent = Sent {
            method: "POST",
            path: "/login",
            headers: vec![("sec-fetch-site", "same-origin".to_owned())],
            body: form(&[("ticket", ticket), ("next", "/access")]),
        };
        self.send(sent).await
    }

    /// Logs a person in.
    pub(crate) async fn log_in(&self, person: &str) -> Visitor<'_> {
        let ticket = self.ticket(person).await;
        self.log_in_with(&ticket).await
    }

    pub(crate) async fn log_in_with(&self, ticket: &str) -> Visitor<'_> {
        let answer = self.redeem(ticket).await;
        assert_eq!(answer.status, 303, "{}", answer.head);
        let cookie = answer.header("set-cookie").expect("a cookie");
        let cookie = cookie.split(';').next().expect("a pair").to_owned();
        Visitor { site: self, cookie }
    }

    /// Creates a person with a role, and logs the person in.
    pub(crate) async fn visitor(&self, name: &str, role: &str) -> Visitor<'_> {
        let person = self.person(name, role).await;
        self.log_in(&person).await
    }

    /// What all tables contain, except for who was seen when.
    pub(crate) async fn fingerprint(&self) -> Vec<(String, String)> {
        let tables = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'hookfast_data'::regnamespace \
            AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1";
        let tables: Vec<String> = sqlx::query_scalar(tables)
            .fetch_all(&self.pool)
            .await
            .expect("tables");
        assert!(tables.len() > 15, "{tables:?}");
        let mut all = Vec::new();
        for table in tables {
            let seen = if table == "access" { "- 'seen_at'" } else { "" };
            let rows = format!(
                "SELECT coalesce(md5(string_agg(r, '' ORDER BY r)), '') FROM \
                 (SELECT (to_jsonb(t) {seen})::text AS r FROM hookfast_data.\"{table}\" t) x"
            );
            all.push((table, self.text(&format!("({rows})")).await));
        }
        all
    }
}

impl Visitor<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let sent = Sent {
            method: "GET",
            path,
            headers: vec![("cookie", self.cookie.clone())],
            body: String::new(),
        };
        self.site.send(sent).await
    }

    /// Sends a form of a page of the console.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let sent = Sent {
            method: "POST",
            path,
            headers: vec![
                ("cookie", self.cookie.clone()),
                ("sec-fetch-site", "same-origin".to_owned()),
            ],
            body: form(fields),
        };
        self.site.send(sent).await
    }
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pairs: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

/// The text of a page.
pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("text")
}

/// The value of a hidden field of a page.
pub(crate) fn hidden(page: &str, name: &str) -> Option<String> {
    let start = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&start)?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Whether the answer asks to log in.
pub(crate) fn asks_to_log_in(answer: &Answer) -> bool {
    let location = answer.header("location").unwrap_or_default();
    answer.status == 303 && location.starts_with("/login?next=")
}

/// Runs a statement of the owner.
pub(crate) async fn run(site: &Site, statement: String) {
    let mut owner = site.world.connect().await;
    owner
        .execute(AssertSqlSafe(statement.clone()))
        .await
        .unwrap_or_else(|error| panic!("{error}: {statement}"));
}
