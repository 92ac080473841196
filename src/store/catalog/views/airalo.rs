//! The views of Airalo's orders, SIMs and notifications.

use super::{View, column};

/// `hookfast.airalo_credit`.
pub const AIRALO_CREDIT: View = View {
    name: "airalo_credit",
    order: "received_at DESC",
    columns: &[
        column("source", "text"),
        column("threshold", "text"),
        column("remaining", "numeric"),
        column("message", "text"),
        column("event_id", "uuid"),
        column("received_at", "timestamp with time zone"),
    ],
};

/// `hookfast.airalo_low_data`.
pub const AIRALO_LOW_DATA: View = View {
    name: "airalo_low_data",
    order: "received_at DESC",
    columns: &[
        column("source", "text"),
        column("iccid", "text"),
        column("package", "text"),
        column("level", "text"),
        column("remaining_percentage", "numeric"),
        column("event_id", "uuid"),
        column("received_at", "timestamp with time zone"),
    ],
};

/// `hookfast.airalo_orders`.
pub const AIRALO_ORDERS: View = View {
    name: "airalo_orders",
    order: "received_at DESC",
    columns: &[
        column("source", "text"),
        column("request_id", "text"),
        column("description", "text"),
        column("state", "text"),
        column("order_id", "text"),
        column("code", "text"),
        column("package_id", "text"),
        column("package", "text"),
        column("quantity", "numeric"),
        column("validity_days", "numeric"),
        column("data", "text"),
        column("text", "text"),
        column("voice", "text"),
        column("currency", "text"),
        column("price", "numeric"),
        column("net_price", "numeric"),
        column("total_amount_paid", "numeric"),
        column("pricing_model", "text"),
        column("reason", "text"),
        column("ordered_at", "timestamp with time zone"),
        column("received_at", "timestamp with time zone"),
        column("event_id", "uuid"),
        column("possible_double_purchase", "boolean"),
        column("conflict_event_ids", "uuid[]"),
        column("placed_at", "timestamp with time zone"),
        column("expected_by", "timestamp with time zone"),
        column("overdue_at", "timestamp with time zone"),
        column("last_check_result", "text"),
        column("acknowledged_at", "timestamp with time zone"),
    ],
};

/// `hookfast.airalo_sims`.
pub const AIRALO_SIMS: View = View {
    name: "airalo_sims",
    order: "received_at DESC",
    columns: &[
        column("source", "text"),
        column("iccid", "text"),
        column("request_id", "text"),
        column("description", "text"),
        column("order_id", "text"),
        column("conflict", "boolean"),
        column("sim_id", "text"),
        column("lpa", "text"),
        column("matching_id", "text"),
        column("qrcode", "text"),
        column("qrcode_url", "text"),
        column("direct_apple_installation_url", "text"),
        column("confirmation_code", "text"),
        column("msisdn", "text"),
        column("apn_type", "text"),
        column("apn_value", "text"),
        column("is_roaming", "boolean"),
        column("event_id", "uuid"),
        column("received_at", "timestamp with time zone"),
    ],
};
