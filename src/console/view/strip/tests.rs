use super::*;

fn hour() -> Vec<Minute> {
    (0..60)
        .map(|index| Minute {
            start: 1_795_863_840 + index * 60,
            stored: 40,
            delivered: 120,
            ..Minute::default()
        })
        .collect()
}

fn rendered(minutes: &[Minute]) -> String {
    Strip::full(minutes, |start| format!("/events?minute={start}&x=<"))
        .render()
        .expect("a strip")
}

#[test]
fn each_minute_is_a_link_with_its_counts() {
    let mut minutes = hour();
    minutes[59].dead = 2;
    let page = rendered(&minutes);
    assert_eq!(page.matches("tabindex=\"-1\"").count(), 60);
    assert!(
        page.contains("12:03: 40 stored; 120 delivered, 2 dead"),
        "{page}"
    );
    assert!(
        page.contains("/events?minute=1795867380&#38;x=&#60;"),
        "{page}"
    );
    assert!(
        !page.contains("style="),
        "the policy of the pages forbids inline styles"
    );
}

#[test]
fn one_dead_letter_is_seen_beside_ten_thousand() {
    let bars = bars(0.0, 74.0, &[0, 0, 0, 10_000, 0, 1], [0, 10_001]);
    let dead = bars.iter().find(|bar| bar.word == "dead").expect("a bar");
    assert_eq!(dead.height, "3");
}

#[test]
fn no_bar_leaves_the_strip() {
    for counts in [
        [1, 1, 1, 1, 1, 1],
        [u64::MAX / 8; 6],
        [100_000, 1, 1, 1, 1, 100_000],
        [0; 6],
    ] {
        for axis in [74.0, 12.0] {
            let sums = [counts[..3].iter().sum(), counts[3..].iter().sum()];
            for bar in bars(0.0, axis, &counts, sums) {
                let y: f64 = bar.y.parse().expect("a number");
                let height: f64 = bar.height.parse().expect("a number");
                assert!(
                    y >= -0.1 && y + height <= 2.0 * axis + 0.1 && height > 0.0,
                    "{counts:?} {y} {height}"
                );
            }
        }
    }
}

#[test]
fn a_quiet_hour_looks_quiet() {
    let bars = bars(0.0, 74.0, &[1, 0, 0, 0, 0, 0], [1, 0]);
    assert!(bars[0].height.parse::<f64>().expect("a number") < 10.0);
    assert!(rendered(&[]).contains("svg"));
    assert!(rendered(&hour()[..1]).contains("11:04"));
}

#[test]
fn the_thin_strip_has_no_table() {
    let thin = Strip::thin(&hour(), |_| "/".to_owned())
        .render()
        .expect("a strip");
    assert!(!thin.contains("<table"), "{thin}");
    assert!(thin.contains("2,400"), "{thin}");
}
