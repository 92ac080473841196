//! Stylesheet, script, font and icons, embedded in the binary. Their addresses contain their hash,
//! so browsers may keep them forever.

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};
use std::{collections::HashMap, sync::LazyLock};

struct Asset {
    hash: String,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal: $kind:literal),+ $(,)?) => {
        [$(($name, $kind, include_bytes!(concat!("assets/", $name)).as_slice())),+]
    };
}

static ASSETS: LazyLock<HashMap<&'static str, Asset>> = LazyLock::new(|| {
    let files = assets! {
        "console.css": "text/css; charset=utf-8",
        "console.js": "text/javascript; charset=utf-8",
        "inter.woff2": "font/woff2",
        "icon.svg": "image/svg+xml",
        "icon-warning.svg": "image/svg+xml",
        "icon-critical.svg": "image/svg+xml",
    };
    // One hash for all, because the stylesheet names the font without one.
    let mut all = Sha256::new();
    for (_, _, bytes) in &files {
        all.update(bytes);
    }
    let hash = hex::encode(&all.finalize()[..8]);
    let asset = |(name, kind, bytes)| {
        (
            name,
            Asset {
                hash: hash.clone(),
                kind,
                bytes,
            },
        )
    };
    files.into_iter().map(asset).collect()
});

/// The address of an asset.
pub(super) fn address(name: &str) -> String {
    let hash = ASSETS.get(name).map_or("none", |asset| asset.hash.as_str());
    format!("/assets/{hash}/{name}")
}

pub(super) async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    match ASSETS.get(name.as_str()) {
        Some(asset) if asset.hash == hash => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
                (
                    header::CACHE_CONTROL,
                    HeaderValue::from_static("public, max-age=31536000, immutable"),
                ),
            ];
            (headers, asset.bytes).into_response()
        }
        _ => super::problem::unknown_page().await,
    }
}
