//! Every link of the console as each role, at 300,000 events: each statement reads a bounded number of
//! rows. `scripts/acceptance crawl` measures the same pages at ten million.

mod links;
mod plans;

use super::{Site, Visitor, run, text};
use crate::history_plans::{a_history, filled};
use crate::support::raw_http::Answer;
use links::{Kinds, links};
use plans::Recorder;
use std::collections::VecDeque;

/// Of one day. There are more of each than a page may read.
const DEAD: u32 = 20_000;
const PENDING: u32 = 150_000;
const ROWS: u32 = 60_000;

/// What is behind forms, and no link leads to.
const FORMS: [&str; 22] = [
    "/find?q=r000020004321",
    "/find?q=nothing-has-this-value",
    "/orders?q=shop+order+4321",
    "/orders?q=nothing",
    "/orders?state=low_data&q=89444321",
    "/events?window=all&type=airalo.order.failed",
    "/events?window=all&type=airalo.*",
    "/events?window=all&key=order:r000020004321:completed",
    "/events?window=all&payload=%24.data.quantity+%3D%3D+7",
    "/events?window=all&source=airalo",
    "/events?window=all&origin=api",
    "/events?window=all&topic=none",
    "/dead?type=airalo.order.completed",
    "/dead?type=airalo.order.failed",
    "/dead?type=airalo.*&handler=shop",
    "/dead?error=%25out+of+order%25",
    "/dead?error=%25no+such+error%25",
    "/dead?reason=rejected",
    "/dead?handler=crm",
    "/dead?before=2000-01-01+00%3A00",
    "/handlers/crm?state=waiting",
    "/handlers/shop?state=delivered&window=7d",
];

async fn a_large_site() -> Site {
    let site = Site::new().await;
    let mut owner = site.world.connect().await;
    a_history(&mut owner, DEAD, PENDING).await;
    let words = [("days", "3".to_owned()), ("rows", ROWS.to_string())];
    let rows = include_str!("../../../../scripts/lib/history/console.sql");
    run(&site, filled(rows, &words)).await;
    run(&site, "VACUUM".to_owned()).await;
    site
}

/// A busy machine may be too slow for a page. A page that always takes too long is wrong.
async fn in_time(visitor: &Visitor<'_>, path: &str) -> Answer {
    for _ in 0..4 {
        let answer = visitor.get(path).await;
        if answer.status != 504 && !text(&answer).contains(LEFT_OUT) {
            return answer;
        }
    }
    visitor.get(path).await
}

/// What a page shows instead of a part that took too long.
const LEFT_OUT: &str = "could not be listed within";

#[tokio::test(flavor = "multi_thread")]
async fn each_statement_of_the_console_reads_a_bounded_number_of_rows() {
    let site = a_large_site().await;
    let mut recorder = Recorder::start(&site).await;
    let mut wrong = Vec::new();
    for (name, role) in [
        ("rosa", &site.reader),
        ("sami", &site.support),
        ("mira", &site.operator),
    ] {
        let visitor = site.visitor(name, role).await;
        let mut kinds = Kinds::default();
        let mut queue: VecDeque<String> = ["/"]
            .iter()
            .chain(&FORMS)
            .map(|&path| path.to_owned())
            .collect();
        let (mut pages, mut statements) = (0, 0);
        while let Some(path) = queue.pop_front() {
            if !kinds.is_new(&path) {
                continue;
            }
            recorder.skip().await;
            let answer = in_time(&visitor, &path).await;
            let plans = recorder.plans().await;
            pages += 1;
            statements += plans.len();
            if ![200, 303].contains(&answer.status) {
                wrong.push(format!("{name} {path}: status {}", answer.status));
            }
            // A preview counts exactly what the act would change, within its own limit of ten seconds.
            let bounded = plans.iter().filter(|_| !path.starts_with("/act/"));
            wrong.extend(
                bounded
                    .flat_map(plans::Plan::excesses)
                    .map(|text| format!("{name} {path}: {text}")),
            );
            // A page may omit a part that took too long; it reports that.
            if text(&answer).contains(LEFT_OUT) {
                wrong.push(format!("{name} {path}: a part took too long"));
            }
            queue.extend(links(&text(&answer)));
        }
        assert!(
            pages > 60 && statements > 60,
            "{name}: {pages} pages, {statements} statements"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
