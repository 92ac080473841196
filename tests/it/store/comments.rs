//! Statements and database objects describe themselves.

use super::Store;
use std::{fs, path::Path};

/// `pg_stat_statements` shows the first lines of a statement.
#[test]
fn every_statement_begins_with_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .replace('_', " ");
        let text = fs::read_to_string(&path).expect("a statement");
        assert_eq!(
            text.lines().next(),
            Some(format!("-- hookfast: {name}").as_str()),
            "{}",
            path.display()
        );
        seen += 1;
    }
    assert!(seen >= 10, "{seen} statements");
}

#[tokio::test]
async fn everything_in_both_schemas_has_a_comment() {
    let store = Store::new().await;
    // Partitions are like their table; the table of the migrations is sqlx's.
    let without = "WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('hookfast', 'hookfast_data')), \
        tables AS (SELECT c.oid, nspname || '.' || relname AS name, relkind FROM pg_class c JOIN ours ON ours.oid = relnamespace \
            WHERE relkind IN ('r', 'p', 'v') AND NOT relispartition AND relname <> 'migrations') \
        SELECT coalesce(string_agg(name, ', ' ORDER BY name), 'nothing') FROM ( \
            SELECT nspname AS name FROM ours WHERE obj_description(oid, 'pg_namespace') IS NULL \
            UNION ALL SELECT name FROM tables WHERE obj_description(oid, 'pg_class') IS NULL \
            UNION ALL SELECT name || '.' || attname FROM tables JOIN pg_attribute ON attrelid = tables.oid \
                WHERE relkind <> 'v' AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL \
            UNION ALL SELECT nspname || '.' || proname FROM pg_proc JOIN ours ON ours.oid = pronamespace \
                WHERE obj_description(pg_proc.oid, 'pg_proc') IS NULL) w";
    assert_eq!(store.text(without).await, "nothing");
    store.execute("COMMENT ON COLUMN hookfast_data.outbox.lost IS NULL; COMMENT ON VIEW hookfast.events IS NULL; COMMENT ON FUNCTION hookfast.pause_handler IS NULL").await;
    assert_eq!(
        store.text(without).await,
        "hookfast.events, hookfast.pause_handler, hookfast_data.outbox.lost",
        "the query finds missing comments"
    );
}

/// An index on these columns, or a partial one, would make every claim write to it.
#[tokio::test]
async fn no_index_contains_a_column_that_a_claim_changes() {
    let store = Store::new().await;
    let indexes = "SELECT string_agg(indexdef, '; ') FROM pg_indexes WHERE tablename = 'outbox'";
    let indexes = store.text(indexes).await;
    assert!(
        indexes.contains("outbox_due")
            && !indexes.contains("lease_id")
            && !indexes.contains("attempt"),
        "{indexes}"
    );
}
