//! Orders: what a support desk is asked about, in its words.

mod cursor;
mod order;
mod row;
mod shop;
mod story;
mod verdict;

pub(super) use {
    order::{by_parameter, by_request},
    row::address,
};

use super::{
    address::{Address, Choice},
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run},
        number, short, state,
    },
};
use crate::store::catalog::views;
use crate::store::{AsVisitor, SqlArg, ViewQuery, Work};
use askama::Template;
use axum::response::Response;
use cursor::Cursor;
use row::{COLUMNS, OrderRow};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// The rows of a page.
const ROWS: usize = 50;
/// One more is read, to know whether there are more.
const READ: u32 = 51;
/// Newer rows are counted up to this number.
const NEWER: u32 = 100;

/// Times of the tab of all orders: the value, and the label.
const TIMES: [(&str, &str, &str); 5] = [
    ("1h", "1 hour", "the last hour"),
    ("24h", "24 hours", "the last 24 hours"),
    ("7d", "7 days", "the last 7 days"),
    ("30d", "30 days", "the last 30 days"),
    ("all", "all", "all time"),
];

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    frame: Frame,
    tabs: Vec<Choice>,
    tab: &'static str,
    /// The term that was searched for.
    q: String,
    times: Vec<Choice>,
    /// `the last 24 hours`
    period: &'static str,
    orders: Vec<OrderRow>,
    low_data: Vec<LowData>,
    credit: Vec<Credit>,
    /// `12 newer`, on a page behind a cursor, and the address of the newest.
    newer: String,
    newest: String,
    older: String,
    has_source: bool,
}

/// A row of `hookfast.order_health`.
#[derive(Deserialize)]
struct Health {
    possible_double_purchases: i64,
    overdue: i64,
    unknown: i64,
}

/// A row of `hookfast.airalo_low_data`.
#[derive(Deserialize)]
struct LowData {
    source: String,
    iccid: String,
    package: String,
    level: String,
    remaining_percentage: Option<Box<RawValue>>,
    event_id: String,
    received_at: Timestamp,
}

/// A row of `hookfast.airalo_credit`.
#[derive(Deserialize)]
struct Credit {
    source: String,
    threshold: Option<String>,
    remaining: Option<Box<RawValue>>,
    message: Option<String>,
    event_id: String,
    received_at: Timestamp,
}

impl LowData {
    /// What the level means.
    fn meaning(&self) -> String {
        match self.level.as_str() {
            "75" | "90" => format!("{} % of the data is used", self.level),
            "3days" => "ends in 3 days".to_owned(),
            "1days" => "ends in 1 day".to_owned(),
            other => marks::plain(other),
        }
    }

    /// The orders of the eSIM.
    fn address(&self) -> String {
        Address::to("/orders").with("q", &self.iccid).href()
    }

    fn remaining(&self) -> String {
        percent(self.remaining_percentage.as_deref())
    }
}

impl Credit {
    fn threshold(&self) -> String {
        self.threshold
            .as_deref()
            .map(|used| format!("{} % used", marks::plain(used)))
            .unwrap_or_default()
    }

    fn remaining(&self) -> &str {
        self.remaining.as_deref().map_or("", RawValue::get)
    }
}

impl OrdersPage {
    fn find_address(&self) -> String {
        Address::to("/find").with("q", &self.q).href()
    }
}

fn percent(value: Option<&RawValue>) -> String {
    value.map_or_else(String::new, |value| format!("{} %", value.get()))
}

fn runs(text: &str) -> Vec<Run<'_>> {
    marks::runs(text, Breaks::Mark)
}

pub(super) async fn page(request: PageRequest) -> Result<Response, PageError> {
    let q = request.parameter("q").unwrap_or_default().trim().to_owned();
    let tab = tab(request.parameter("state").as_deref())?;
    let within = request
        .parameter("within")
        .unwrap_or_else(|| "24h".to_owned());
    let &(within, _, period) = TIMES
        .iter()
        .find(|(value, ..)| *value == within)
        .ok_or_else(|| missing("within", "1h, 24h, 7d, 30d or all"))?;
    let cursor = Cursor::of(request.parameter("cursor").as_deref())
        .ok_or_else(|| missing("cursor", "made by the link “Older”"))?;

    let mut visit = request.visit(Work::Page).await?;
    let (mut orders, mut low_data, mut credit) = (Vec::new(), Vec::new(), Vec::new());
    match tab {
        "low_data" => low_data = visit.rows(low_data_query(&q, &cursor)).await?,
        "credit" => credit = visit.rows(ViewQuery::of(&views::AIRALO_CREDIT)).await?,
        _ if !q.is_empty() => orders = search(&mut visit, &q).await?,
        "double" => orders = visit.rows(double(&cursor)).await?,
        "all" => orders = all(&mut visit, within, &cursor).await?,
        _ => orders = visit.rows(attention(&cursor)).await?,
    }
    let newer = match top(&cursor, &orders, &low_data) {
        Some(top) => newer(&mut visit, tab, within, &q, &top).await?,
        None => 0,
    };
    let health: Vec<Health> = visit.rows(ViewQuery::of(&views::ORDER_HEALTH)).await?;
    let mut frame = Frame::of(&request, &mut visit, "/orders", "Orders").await?;
    // Other lists do not move under the finger.
    if tab == "overdue" && q.is_empty() {
        frame = frame.refreshed(15);
    }
    visit.finish().await?;

    let more = cut(&mut orders).or(cut(&mut low_data));
    let last = match (orders.last(), low_data.last()) {
        (Some(order), _) => Cursor::after(order),
        (None, Some(low)) => Some(Cursor::after_low_data(low)),
        (None, None) => None,
    };
    let here = Address::to("/orders")
        .with("state", tab)
        .with("q", &q)
        .with("within", if tab == "all" { within } else { "" });
    let newest = here.href();
    let older = match (more, last) {
        (Some(()), Some(last)) if q.is_empty() || tab == "low_data" => {
            here.with("cursor", last.text()).href()
        }
        _ => String::new(),
    };
    written(&OrdersPage {
        tabs: tabs(
            if q.is_empty() || tab == "low_data" {
                tab
            } else {
                ""
            },
            &health,
        ),
        times: times(within),
        period,
        tab,
        q,
        has_source: frame
            .summary
            .source_rows
            .iter()
            .any(|source| source.kind == "airalo"),
        orders,
        low_data,
        credit,
        newer: number::newer(newer, NEWER),
        newest,
        older,
        frame,
    })
}

fn tab(state: Option<&str>) -> Result<&'static str, PageError> {
    const TABS: [&str; 5] = ["overdue", "all", "double", "low_data", "credit"];
    match state {
        None => Ok("overdue"),
        Some(state) => TABS
            .into_iter()
            .find(|tab| *tab == state)
            .ok_or_else(|| missing("state", "overdue, all, double, low_data or credit")),
    }
}

fn missing(parameter: &str, choices: &str) -> PageError {
    PageError::Missing(format!(
        "The address has an invalid value of “{parameter}”. It is {choices}. Nothing was changed."
    ))
}

/// Cuts what was read to a page. Returns something if there was more.
fn cut<T>(rows: &mut Vec<T>) -> Option<()> {
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    more.then_some(())
}

fn tabs(current: &str, health: &[Health]) -> Vec<Choice> {
    let attention = health.iter().map(|row| row.overdue + row.unknown).sum();
    let double = health.iter().map(|row| row.possible_double_purchases).sum();
    let counted = |label: &str, count: i64| match count {
        0 => label.to_owned(),
        some => format!("{label} ({})", number::grouped(some)),
    };
    [
        ("overdue", counted("Overdue and unknown", attention)),
        ("all", "All".to_owned()),
        ("double", counted("Possible double purchases", double)),
        ("low_data", "Low data".to_owned()),
        ("credit", "Credit".to_owned()),
    ]
    .into_iter()
    .map(|(tab, label)| Choice {
        href: Address::to("/orders").with("state", tab).href(),
        label,
        current: tab == current,
    })
    .collect()
}

fn times(within: &str) -> Vec<Choice> {
    TIMES
        .iter()
        .map(|&(value, label, _)| Choice {
            href: Address::to("/orders")
                .with("state", "all")
                .with("within", value)
                .href(),
            label: label.to_owned(),
            current: value == within,
        })
        .collect()
}

/// Orders without a result, newest first.
fn waiting() -> ViewQuery {
    ViewQuery::of(&views::AIRALO_ORDERS)
        .columns(COLUMNS)
        // Its index leaves the results out.
        .is_null("received_at")
        .order("placed_at DESC, source DESC, description DESC, coalesce(request_id, '') DESC")
        .limit(READ)
}

/// Orders with a result, newest first.
fn results() -> ViewQuery {
    ViewQuery::of(&views::AIRALO_ORDERS)
        .columns(COLUMNS)
        .order("received_at DESC, event_id DESC")
        .limit(READ)
}

fn attention(cursor: &Cursor) -> ViewQuery {
    cursor
        .waiting(waiting())
        .one_of("state", Some(SqlArg::text("overdue,unknown")))
}

fn double(cursor: &Cursor) -> ViewQuery {
    cursor.results(results().holds("possible_double_purchase"))
}

/// The first row of a page that is not the first.
fn top(cursor: &Cursor, orders: &[OrderRow], low_data: &[LowData]) -> Option<Cursor> {
    match (cursor, orders.first(), low_data.first()) {
        (Cursor::Start, ..) => None,
        (_, Some(order), _) => Cursor::after(order),
        (_, None, low) => low.map(Cursor::after_low_data),
    }
}

/// How many rows are newer than the first of a page, at most one more than are counted.
async fn newer(
    visit: &mut AsVisitor,
    tab: &str,
    within: &str,
    q: &str,
    top: &Cursor,
) -> Result<usize, PageError> {
    let newest = || results().newest_results(SqlArg::time("infinity"), NEWER + 1);
    let queries = match tab {
        "low_data" => vec![top.newer_low_data(low_data_query(q, &Cursor::Start))],
        // A search has one page.
        _ if !q.is_empty() => Vec::new(),
        "double" => vec![top.newer_results(double(&Cursor::Start))],
        "all" => vec![
            top.newer_waiting(waiting().from("placed_at", since(within))),
            top.newer_results(newest().from("received_at", since(within))),
        ],
        "overdue" => vec![top.newer_waiting(attention(&Cursor::Start))],
        _ => Vec::new(),
    };
    let mut newer = 0;
    for query in queries {
        let counted = query.columns(&["source"]).limit(NEWER + 1);
        let rows: Vec<IgnoredAny> = visit.rows(counted).await?;
        newer += rows.len();
    }
    Ok(newer)
}

/// When the time of the tab of all orders begins.
fn since(within: &str) -> Option<SqlArg> {
    match within {
        "1h" => Some(SqlArg::ago("1 hour")),
        "24h" => Some(SqlArg::ago("24 hours")),
        "7d" => Some(SqlArg::ago("7 days")),
        "30d" => Some(SqlArg::ago("30 days")),
        _ => None,
    }
}

async fn all(
    visit: &mut AsVisitor,
    within: &str,
    cursor: &Cursor,
) -> Result<Vec<OrderRow>, PageError> {
    let mut orders: Vec<OrderRow> = visit
        .rows(cursor.waiting(waiting().from("placed_at", since(within))))
        .await?;
    let newest = results().newest_results(cursor.before(), READ);
    let more: Vec<OrderRow> = visit
        .rows(cursor.results(newest.from("received_at", since(within))))
        .await?;
    orders.extend(more);
    // Stable: rows of one time keep the order in which they were read.
    orders.sort_by(|a, b| cursor::position(b).cmp(&cursor::position(a)));
    Ok(orders)
}

/// Finds orders by description, request id, ICCID or Airalo's number. Each has an index.
async fn search(visit: &mut AsVisitor, q: &str) -> Result<Vec<OrderRow>, PageError> {
    #[derive(Deserialize)]
    struct Sim {
        source: String,
        request_id: Option<String>,
        description: Option<String>,
    }
    let orders = |column: &'static str, value: &str| {
        ViewQuery::of(&views::AIRALO_ORDERS)
            .columns(COLUMNS)
            .is(column, Some(SqlArg::text(value)))
            .limit(READ)
    };
    let mut found: Vec<OrderRow> = Vec::new();
    for column in ["description", "request_id", "order_id"] {
        found.extend(visit.rows::<OrderRow>(orders(column, q)).await?);
    }
    let sims: Vec<Sim> = visit
        .rows(
            ViewQuery::of(&views::AIRALO_SIMS)
                .columns(&["source", "request_id", "description"])
                .is("iccid", Some(SqlArg::text(q)))
                .order("source")
                .limit(5),
        )
        .await?;
    for sim in sims {
        let (column, value) = match (&sim.request_id, &sim.description) {
            (Some(request_id), _) => ("request_id", request_id),
            (None, Some(description)) => ("description", description),
            (None, None) => continue,
        };
        let of_sim = orders(column, value).is("source", Some(SqlArg::text(&sim.source)));
        found.extend(visit.rows::<OrderRow>(of_sim).await?);
    }
    found.sort_by(|a, b| cursor::position(b).cmp(&cursor::position(a)));
    found.dedup_by(|b, a| a.address() == b.address() && a.event_id == b.event_id);
    Ok(found)
}

fn low_data_query(q: &str, cursor: &Cursor) -> ViewQuery {
    let iccid = (!q.is_empty()).then(|| SqlArg::text(q));
    cursor.low_data(
        ViewQuery::of(&views::AIRALO_LOW_DATA)
            .is("iccid", iccid)
            .order("received_at DESC, source DESC, iccid DESC, package DESC")
            .limit(READ),
    )
}
