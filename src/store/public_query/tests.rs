use super::*;
use crate::store::catalog::{functions, views};

#[test]
fn values_that_look_like_placeholders_stay_values() {
    let shown = ViewQuery::of(&views::DEAD_LETTERS)
        .columns(&["delivery_id"])
        .is("handler", Some(SqlArg::text("; DROP TABLE x --")))
        .is("reason", Some(SqlArg::text("($1::text::text)")))
        .limit(5)
        .shown();
    assert_eq!(
        shown,
        "SELECT delivery_id FROM hookfast.dead_letters v WHERE v.handler = '; DROP TABLE x --' \
         AND v.reason = '($1::text::text)' ORDER BY delivery_id DESC LIMIT ('5'::bigint);"
    );
    let call = FunctionCall::of(&functions::FIND).with("term", Some(SqlArg::text("o'$1")));
    assert_eq!(
        call.shown(),
        "SELECT * FROM hookfast.find(term => 'o''$1') r;"
    );
}

#[test]
fn each_of_many_values_has_its_place() {
    let query = (0..11).fold(ViewQuery::of(&views::EVENTS), |query, n| {
        query.is("type", Some(SqlArg::text(format!("($1{n}::text::text)"))))
    });
    let shown = query.shown();
    for n in 0..11 {
        assert!(
            shown.contains(&format!("v.type = '($1{n}::text::text)'")),
            "{shown}"
        );
    }
}
