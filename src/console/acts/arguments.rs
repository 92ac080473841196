//! The arguments of an act: from an address or a form to parameters of SQL, and back.

use super::table::Act;
use crate::console::{address::Address, view::time};
use crate::store::{FunctionCall, SqlArg, catalog::Parameter};
use url::form_urlencoded;

/// The names and values of a query or a form, in their order.
pub(super) type Pairs = Vec<(String, String)>;

pub(super) fn pairs(bytes: &[u8]) -> Pairs {
    form_urlencoded::parse(bytes).into_owned().collect()
}

/// The first value of a name, if it is not empty.
pub(super) fn value<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    verbatim(pairs, name).map(str::trim)
}

/// The same with the spaces around it.
fn verbatim<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let found = pairs
        .iter()
        .find(|(key, value)| key == name && !value.trim().is_empty());
    found.map(|(_, value)| value.as_str())
}

/// The parameters that were given for an act.
pub(super) struct Arguments {
    act: &'static Act,
    given: Vec<Argument>,
}

/// One parameter with its value.
pub(super) struct Argument {
    pub(super) parameter: &'static Parameter,
    pub(super) text: String,
    /// Why the value is not one of its type.
    pub(super) error: &'static str,
}

impl Arguments {
    /// Reads the parameters of an act; other names are ignored. A span in place of a time is counted
    /// from `now`, so that the preview and the act mean the same time.
    pub(super) fn read(act: &'static Act, pairs: &Pairs, now: i64) -> Self {
        let given = act.parameters().filter_map(|parameter| {
            // In a pattern and in a description of the shop, spaces count.
            let typed = match parameter.name {
                "error" | "description" => verbatim(pairs, parameter.name)?,
                name => value(pairs, name)?,
            };
            let text = match parameter.sql_type {
                "timestamp with time zone" => absolute(typed, now, parameter.name == "due_at"),
                _ => typed.to_owned(),
            };
            let error = problem(parameter.sql_type, &text).unwrap_or_default();
            Some(Argument {
                parameter,
                text,
                error,
            })
        });
        Self {
            act,
            given: given.collect(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Argument> {
        self.given.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.given.iter().find(|one| one.parameter.name == name);
        found.map(|argument| argument.text.as_str())
    }

    /// The required parameters that are missing.
    pub(super) fn missing(&self) -> Vec<&'static Parameter> {
        let required = self
            .act
            .parameters()
            .filter(|parameter| parameter.is_required);
        required
            .filter(|parameter| self.get(parameter.name).is_none())
            .collect()
    }

    /// Whether every required parameter is there, and every value is one of its type.
    pub(super) fn is_complete(&self) -> bool {
        self.missing().is_empty() && self.given.iter().all(|argument| argument.error.is_empty())
    }

    /// Adds the parameters to a call. `until` bounds the act to what existed at the preview, unless
    /// the person chose a bound. Without any filter it is not added: it would be the only one, and
    /// `erase_all` rejects a call without a filter.
    pub(super) fn add_to(&self, mut call: FunctionCall, until: Option<&str>) -> FunctionCall {
        for argument in &self.given {
            let arg = sql_arg(argument.parameter.sql_type, &argument.text);
            call = call.with(argument.parameter.name, Some(arg));
        }
        match self.bound(until) {
            Some((parameter, until)) => call.with(parameter, Some(SqlArg::time(until))),
            None => call,
        }
    }

    /// The bound that is added, with its parameter.
    pub(super) fn bound<'a>(&self, until: Option<&'a str>) -> Option<(&'static str, &'a str)> {
        let parameter = self.act.bulk()?.until?;
        let needs_filter = self.act.function.name == "erase_all" && self.is_empty();
        let is_free = self.get(parameter).is_none() && !needs_filter;
        Some((parameter, until.filter(|_| is_free)?))
    }

    /// The address of a page with these arguments, except one.
    pub(super) fn address(&self, page: Address, without: Option<&str>) -> Address {
        let given = self.given.iter();
        given
            .filter(|argument| Some(argument.parameter.name) != without)
            .fold(page, |page, argument| {
                page.with(argument.parameter.name, &argument.text)
            })
    }

    /// The page that the act belongs to, with the same filters.
    pub(super) fn back(&self) -> String {
        let page = Address::to(self.act.page);
        match self.act.back.and_then(|name| self.get(name)) {
            Some(value) => page.part(value),
            None if self.act.bulk().is_some() && self.act.page == "/events" => self.events(page),
            None if self.act.bulk().is_some() => self.address(page, None),
            None => page,
        }
        .href()
    }

    /// The list of events with these filters, some of which have other names there.
    fn events(&self, page: Address) -> Address {
        let implied = self.act.page_filters.iter();
        let page = implied.fold(page, |page, (name, value)| page.with(name, value));
        let page = self.given.iter().fold(page, |page, argument| {
            let name = match argument.parameter.name {
                "received_after" => "after",
                "received_before" => "before",
                name => name,
            };
            page.with(name, &argument.text)
        });
        let has_time = ["received_after", "received_before"].map(|name| self.get(name).is_some());
        match has_time {
            [false, false] => page.with("window", "all"),
            _ => page,
        }
    }
}

/// The address that has the values of a form again after the login, with the reason. What belongs to
/// one preview, such as its number, is not among them.
pub(super) fn address_of_form(act: &'static Act, pairs: &Pairs) -> String {
    let names = act.parameters().map(|parameter| parameter.name);
    names
        .chain(["why"])
        .fold(Address::act(act.function.name), |page, name| {
            page.with(name, verbatim(pairs, name).unwrap_or_default())
        })
        .href()
}

fn sql_arg(sql_type: &str, text: &str) -> SqlArg {
    match sql_type {
        "bigint" => SqlArg::number(text.parse().unwrap_or_default()),
        "integer" => SqlArg::small(text.parse().unwrap_or_default()),
        "boolean" => SqlArg::flag(is_true(text)),
        "uuid" => SqlArg::id(text),
        "jsonpath" => SqlArg::path(text),
        "timestamp with time zone" => SqlArg::time(text),
        "interval" => SqlArg::span(text),
        _ => SqlArg::text(text),
    }
}

/// What is wrong with a value. Postgres says it of what is not checked here.
fn problem(sql_type: &str, text: &str) -> Option<&'static str> {
    if text.contains('\0') {
        return Some("A text must not contain the character U+0000.");
    }
    let (is_valid, why) = match sql_type {
        "bigint" => (text.parse::<i64>().is_ok(), "This is not a whole number."),
        "integer" => (text.parse::<i32>().is_ok(), "This is not a whole number."),
        "boolean" => (is_true(text) || is_false(text), "Write true or false."),
        "uuid" => (
            is_uuid(text),
            "This is not the id of an event: 32 hexadecimal digits in five groups.",
        ),
        _ => (true, ""),
    };
    (!is_valid).then_some(why)
}

fn is_true(text: &str) -> bool {
    ["true", "on", "yes", "1"].contains(&text)
}

fn is_false(text: &str) -> bool {
    ["false", "off", "no", "0"].contains(&text)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A time as Postgres reads it. `2h` and `-2h` are before now, `+2h` is after; `2h` too if the time
/// is one that comes.
fn absolute(text: &str, now: i64, is_coming: bool) -> String {
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => (if is_coming { 1 } else { -1 }, text),
    };
    match span(rest).and_then(|span| now.checked_add(sign * span)) {
        Some(at) => exact(at),
        None => text.to_owned(),
    }
}

/// `2h`: s, m, h, d or w.
fn span(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let number: u32 = text[..text.len() - 1].parse().ok()?;
    i64::from(number).checked_mul(unit * 1_000_000)
}

/// A time to the microsecond: `2026-11-28T12:03:04.412345Z`.
pub(super) fn exact(micros: i64) -> String {
    let millis = time::iso(micros);
    format!(
        "{}{:03}Z",
        millis.trim_end_matches('Z'),
        micros.rem_euclid(1000)
    )
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    const NOW: i64 = 1_795_867_384_412_345;

    fn read(function: &str, query: &str) -> Arguments {
        let act = table::of(function).expect("an act");
        Arguments::read(act, &pairs(query.as_bytes()), NOW)
    }

    fn shown(arguments: &Arguments, until: Option<&str>) -> String {
        let call = FunctionCall::preview(arguments.act.function);
        arguments.add_to(call, until).shown()
    }

    #[test]
    fn unknown_parameters_are_ignored_and_values_are_parameters() {
        let arguments = read(
            "retry_all",
            "handler=shop&role=postgres&at_most=9&why=x&type=&max_attempts=3",
        );
        assert!(arguments.is_complete());
        assert_eq!(
            shown(&arguments, Some("2026-11-28 12:00")),
            "SELECT * FROM hookfast.retry_all(handler => 'shop', max_attempts => ('3'::integer), \
             died_before => ('2026-11-28 12:00'::timestamptz)) r;"
        );
    }

    #[test]
    fn a_bound_of_the_person_stays() {
        let arguments = read("retry_all", "died_before=1d");
        assert!(shown(&arguments, Some("2026-11-28")).contains("2026-11-27T12:03:04.412345Z"));
        assert_eq!(arguments.bound(Some("2026-11-28")), None);
    }

    /// The bound must never be the only filter.
    #[test]
    fn nothing_is_added_to_an_erasure_without_a_filter() {
        let arguments = read("erase_all", "");
        assert_eq!(
            shown(&arguments, Some("2026-11-28")),
            "SELECT * FROM hookfast.erase_all() r;"
        );
        let arguments = read("erase_all", "source=airalo");
        assert!(shown(&arguments, Some("2026-11-28")).contains("received_before"));
    }

    #[test]
    fn values_that_are_not_of_their_type_have_an_error() {
        for (function, query) in [
            ("retry", "delivery_id=seven"),
            ("retry", "delivery_id=9223372036854775808"),
            ("erase", "event_id=7"),
            ("erase", "event_id=01a2216f-ac13-755d-9aa7-441aa8cdc63"),
            ("replay_all", "handler=shop&new_webhook_id=perhaps"),
            ("pause_handler", "handler=a%00b"),
        ] {
            assert!(!read(function, query).is_complete(), "{query}");
        }
        assert!(!read("replay", "handler=shop").is_complete());
        assert_eq!(read("replay", "").missing().len(), 2);
    }

    #[test]
    fn spans_are_times() {
        for (text, is_coming, expected) in [
            ("2h", false, "2026-11-28T10:03:04.412345Z"),
            ("+2h", false, "2026-11-28T14:03:04.412345Z"),
            ("2h", true, "2026-11-28T14:03:04.412345Z"),
            ("-1d", true, "2026-11-27T12:03:04.412345Z"),
            ("now", true, "now"),
            ("2026-11-28 12:00", false, "2026-11-28 12:00"),
            ("99999999999w", false, "99999999999w"),
            ("é", false, "é"),
        ] {
            assert_eq!(absolute(text, NOW, is_coming), expected, "{text}");
        }
    }

    #[test]
    fn addresses_have_the_arguments() {
        let arguments = read("retry_all", "handler=shop&error=status+5%25");
        assert_eq!(arguments.back(), "/dead?handler=shop&error=status+5%25");
        let without = arguments.address(Address::act("retry_all"), Some("error"));
        assert_eq!(without.href(), "/act/retry_all?handler=shop");
        assert_eq!(
            read("pause_handler", "handler=shop").back(),
            "/handlers/shop"
        );
        assert_eq!(
            read("pause_handler", "handler=..%2Fx").back(),
            "/handlers/..%2Fx"
        );
        assert_eq!(read("pause_handler", "handler=..").back(), "/handlers");
        assert_eq!(
            read("acknowledge_conflicts", "source=own&type=own.*").back(),
            "/events?conflicts=only&source=own&type=own.*&window=all"
        );
        assert_eq!(
            read("acknowledge_conflicts", "received_after=2026-11-28+12%3A00").back(),
            "/events?conflicts=only&after=2026-11-28+12%3A00"
        );
        let form = pairs(b"handler=shop&why=back+again&at_most=7&typed=7&form=x&until=y");
        assert_eq!(
            address_of_form(table::of("retry_all").expect("an act"), &form),
            "/act/retry_all?handler=shop&why=back+again"
        );
    }
}
