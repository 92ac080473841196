//! Airalo's JSON bodies as PHP writes them, in each of the forms that are documented or were
//! observed.

use super::state::Order;
use serde_json::{Value, json};
use std::fmt::Write;

/// JSON as PHP's `json_encode` writes it: no spaces, `/` escaped, all characters beyond ASCII as
/// `\uXXXX`.
pub(super) fn php_json(value: &Value) -> String {
    let plain = value.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 8);
    for c in plain.chars() {
        match c {
            '/' => text.push_str("\\/"),
            c if c.is_ascii() => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

/// An order as the API shows it.
pub(super) fn order(order: &Order) -> Value {
    let mut shown = json!({
        "id": order.id, "code": order.code, "currency": "USD", "package_id": order.package_id,
        "package": format!("{} (é)", order.package_id), "description": order.description, "quantity": order.quantity,
        "type": "sim", "esim_type": "Prepaid", "validity": 7, "data": "1 GB", "price": 4.5, "net_price": 3.6,
        "text": null, "voice": null, "pricing_model": "net_pricing", "created_at": order.created_at,
        "manual_installation": "<p><b>eSIM name:</b> Emulated</p>", "qrcode_installation": "<p>Scan it.</p>",
        "installation_guides": {"en": "https://www.airalo.com/help/getting-started-with-airalo"},
        "sims": order.iccids.iter().map(|iccid| sim(iccid, &order.created_at)).collect::<Vec<_>>(),
    });
    if let Some(reason) = &order.reason {
        shown["reason"] = reason.as_str().into();
    }
    shown
}

fn sim(iccid: &str, created_at: &str) -> Value {
    let tail: String = iccid.chars().rev().take(8).collect();
    json!({
        "id": tail.parse::<u64>().unwrap_or(1), "created_at": created_at, "iccid": iccid, "lpa": "lpa.example.com", "imsis": null,
        "matching_id": format!("EMULATED-{iccid}"), "qrcode": format!("LPA:1$lpa.example.com$EMULATED-{iccid}"),
        "qrcode_url": format!("https://sandbox.example.com/qr?id={tail}&signature=0"),
        "direct_apple_installation_url":
            format!("https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=LPA:1$lpa.example.com$EMULATED-{iccid}"),
        "airalo_code": null, "apn_type": "automatic", "apn_value": null, "is_roaming": true, "confirmation_code": null,
        "msisdn": null,
    })
}

/// The webhook of a completed order. The public sources disagree about its form, so `form` selects
/// one.
pub(super) fn completed(order_made: &Order, request_id: &str, form: u8) -> Value {
    let mut data = order(order_made);
    match form {
        // In the documentation's examples the quantity is a string.
        1 => data["quantity"] = order_made.quantity.to_string().into(),
        // Observed in 2024: some members are under integer-like keys.
        2 => {
            for name in ["text", "voice", "net_price"] {
                data.as_object_mut().map(|data| data.remove(name));
            }
            data["0"] = json!({"data": {"text": null, "voice": null}});
            data["1"] = json!({"data": {"net_price": 3.6}});
        }
        _ => {}
    }
    let meta = json!({"message": "success"});
    match form {
        3 => {
            data["request_id"] = request_id.into();
            json!({"data": data, "meta": meta})
        }
        // The documentation's sample handlers expect all members at the root.
        4 => {
            data["request_id"] = request_id.into();
            data
        }
        _ => json!({"data": data, "meta": meta, "request_id": request_id}),
    }
}

/// The webhook of a failed order. No form of it is public.
pub(super) fn failed(reason: &str, request_id: &str, form: u8) -> Value {
    match form % 3 {
        0 => {
            json!({"data": {"code": 34, "reason": reason}, "meta": {"message": "error"}, "request_id": request_id})
        }
        1 => json!({"code": 34, "reason": reason, "request_id": request_id}),
        _ => json!({"reason": reason, "request_id": request_id}),
    }
}

/// A low-data notification: `data_75`, `data_90`, `expire_3` or `expire_1`.
pub(super) fn low_data(kind: &str, iccid: &str) -> Option<Value> {
    let (level, remaining) = match kind {
        "data_75" => ("75%", json!(25)),
        "data_90" => ("90%", json!(9.98)),
        "expire_3" => ("3days", json!(43)),
        "expire_1" => ("1days", json!(12)),
        _ => return None,
    };
    Some(
        json!({"level": level, "package_name": "emulated-7days-1gb", "remaining_percentage": remaining, "iccid": iccid}),
    )
}

pub(super) fn credit_limit(level: u64) -> Option<Value> {
    let remaining = match level {
        50 => json!(500.5),
        70 => json!(300),
        80 => json!(225.35),
        90 => json!(99.9),
        _ => return None,
    };
    Some(
        json!({"message": format!("Surpassed {level}% of the credit limit balance"), "remaining": remaining}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_like_php_does() {
        let value = json!({"a": "https://x/é😀\"\n", "b": [1, 2.5, null]});
        assert_eq!(
            php_json(&value),
            r#"{"a":"https:\/\/x\/\u00e9\ud83d\ude00\"\n","b":[1,2.5,null]}"#
        );
        assert_eq!(
            serde_json::from_str::<Value>(&php_json(&value)).expect("JSON"),
            value
        );
    }
}
