//! What differs between the payloads of two events that conflict.

use super::{Site, run, text};

/// Two events of a source without secret fields, the second in conflict with the first. Returns their ids.
async fn conflict(site: &Site, minutes_ago: usize, first: &[u8], second: &[u8]) -> [String; 2] {
    let (first, second) = (hex::encode(first), hex::encode(second));
    run(
        site,
        format!(
            "INSERT INTO hookfast_data.sources (name, kind) VALUES ('acme', 'hmac') ON CONFLICT DO NOTHING; \
             INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, \
                body) \
             SELECT hookfast.event_id_at(now() - interval '{minutes_ago} minutes 30 seconds'), s.id, 1, 'acme.paid', 'webhook', \
                'first{minutes_ago}', '{{}}', '\\x{first}' FROM hookfast_data.sources s WHERE s.name = 'acme'; \
             INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, \
                body, conflicts_with) \
             SELECT hookfast.event_id_at(now() - interval '{minutes_ago} minutes'), e.source_id, 1, 'acme.paid', 'webhook', \
                'second{minutes_ago}', '{{}}', '\\x{second}', e.id \
             FROM hookfast_data.events e WHERE e.idempotency_key = 'first{minutes_ago}'"
        ),
    )
    .await;
    let id = |which: &str| {
        format!(
            "(SELECT event_id::text FROM hookfast.events WHERE idempotency_key = '{which}{minutes_ago}')"
        )
    };
    [
        site.text(&id("first")).await,
        site.text(&id("second")).await,
    ]
}

/// The part of a page about what differs.
fn difference(page: &str) -> &str {
    let (_, part) = page
        .split_once("<section class=\"section\" aria-labelledby=\"difference\">")
        .expect("a difference");
    part.split("</section>").next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_shows_what_differs_and_no_secret() {
    let site = Site::new().await;
    run(
        &site,
        "SELECT order_arrived(1); SELECT order_arrived(2, quantity => 7, minutes_ago => 5); \
         UPDATE hookfast_data.events SET conflicts_with = event_of(1) WHERE id = event_of(2)"
            .to_owned(),
    )
    .await;
    let older = site.text("(SELECT event_of(1)::text)").await;
    let newer = site.text("(SELECT event_of(2)::text)").await;
    for (name, role) in [("ada", &site.reader), ("cy", &site.operator)] {
        let visitor = site.visitor(name, role).await;
        let page = text(&visitor.get(&format!("/events/{older}")).await);
        let link = format!("<a href=\"/events/{older}?with={newer}#difference\">Compare</a>");
        assert!(page.contains(&link), "{name}: {link}");
        // The page of a conflict shows it without being asked.
        for path in [
            format!("/events/{newer}"),
            format!("/events/{newer}?with={older}"),
            format!("/events/{older}?with={newer}"),
        ] {
            let page = text(&visitor.get(&path).await);
            let shown = difference(&page);
            for (class, sign, quantity) in [("removed", "−", 1), ("added", "+", 7)] {
                let line = format!(
                    "<span class=\"{class}\">{sign}     <bdi>&#34;quantity&#34;</bdi><bdi>: </bdi><bdi>{quantity}</bdi></span>"
                );
                assert!(shown.contains(&line), "{name}: {line}\n{shown}");
            }
            assert!(
                !shown.contains("lpa&#34;</bdi><bdi>: </bdi><bdi>&#34;secret"),
                "{name}"
            );
            assert!(!page.contains("&#34;secret&#34;"), "{name}");
            assert!(shown.contains("Secret members are masked"), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_shows_hostile_payloads_only_as_text() {
    let site = Site::new().await;
    let bodies: [(&[u8], &[u8], &str); 5] = [
        (
            br#"{"id":1970670598291982290,"x":"</pre><script>alert(1)</script>"}"#,
            br#"{"id":1970670598291982291,"x":"</section><img onerror=alert(1)>"}"#,
            "1970670598291982291",
        ),
        (b"\x00\xff\n<script>", b"\x00\xfe\n<script>", "0xFE"),
        ("\u{202e}gpj.exe".as_bytes(), b"", "U+202E"),
        (b"{}", " { }\n".as_bytes(), "No line differs."),
        (
            "[1]".as_bytes(),
            &[b'<'; 900_000],
            "The newer one is too large to compare all of it",
        ),
    ];
    for (minutes_ago, (first, second, shows)) in bodies.into_iter().enumerate() {
        let [older, newer] = conflict(&site, minutes_ago + 1, first, second).await;
        for (name, role) in [("ada", &site.reader), ("cy", &site.operator)] {
            let visitor = site.visitor(&format!("{name}{minutes_ago}"), role).await;
            for path in [
                format!("/events/{newer}?with={older}"),
                format!("/events/{older}?with={newer}"),
            ] {
                let page = text(&visitor.get(&path).await);
                assert!(
                    !page.contains("<script>") && !page.contains("<img"),
                    "{path}"
                );
                assert!(!page.contains('\u{202e}'), "{path}");
                let shown = difference(&page);
                assert!(shown.len() < 300 * 1024, "{path}: {}", shown.len());
                let is_hidden = shown.contains("is not JSON and hidden from you");
                let is_readers = role == &site.reader && shows != "1970670598291982291";
                assert!(
                    shown.contains(shows) || (is_readers && is_hidden),
                    "{name} {shows}: {shown}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_with_no_event_says_so() {
    let site = Site::new().await;
    let [event, _] = conflict(&site, 1, b"1", b"2").await;
    let visitor = site.visitor("ada", &site.operator).await;
    for other in ["x", "%3Cimg%3E", "01a2216f-ac13-755d-9aa7-441aa8cdc63e"] {
        let page = visitor.get(&format!("/events/{event}?with={other}")).await;
        assert_eq!(page.status, 200, "{other}");
        let page = text(&page);
        assert!(
            difference(&page).contains("There is nothing to compare with"),
            "{other}"
        );
        assert!(!page.contains("<img"), "{other}");
    }
}
