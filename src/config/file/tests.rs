//! Tests of the configuration file: what it may contain, and the error messages for everything
//! else.

mod console;
mod documents;
mod errors;
mod handlers;
mod sources;

const SOURCE: &str = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";
const HANDLER: &str = "[handlers.shop]\nkind = 'http'\ntypes = ['*']\nurl = 'https://example.com/'\nsecrets = ['env:S']\n";

const API: &str = "[sources.airalo.api]\nclient_id = 'partner'\nclient_secret = 'env:S'\n";

fn sample() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/hookfast.sample.toml");
    std::fs::read_to_string(path).expect("the sample is there")
}

/// The sample with every commented setting enabled: `#key = …` without a blank is a setting, prose
/// has a blank.
fn uncommented() -> String {
    let setting = |line: &str| {
        let bare = line
            .strip_prefix('#')
            .filter(|rest| !rest.starts_with(' ') && !rest.is_empty());
        bare.unwrap_or(line).to_owned()
    };
    sample().lines().map(setting).collect::<Vec<_>>().join("\n")
}

/// The section of that name in the sample, with its settings enabled.
fn sample_source(name: &str) -> String {
    let text = uncommented();
    let from = text.find(&format!("[sources.{name}]")).expect(name);
    let end = text[from..].find("\n\n").expect("an empty line after it");
    text[from..from + end].to_owned()
}
