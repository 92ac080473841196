//! Functions and views: only those that have changed are replaced, all together or none, and never
//! by an older program.

use super::{FUNCTION, Upgraded, VIEW, build, commented, later, redefine};
use hookfast::internals::store::{MigrateError, Migrated, Schema, check_schema};

const NOTHING: Migrated = Migrated {
    migrations: 0,
    objects: 0,
};

fn replaced(objects: usize) -> Migrated {
    Migrated {
        migrations: 0,
        objects,
    }
}

#[tokio::test]
async fn only_changed_objects_are_replaced_and_only_once() {
    let mut database = Upgraded::new().await;
    let before = "SELECT string_agg(name || ' ' || hash || ' ' || applied_at, ', ' ORDER BY name) FROM hookfast_data.schema_objects \
        WHERE name NOT IN ('hookfast_data.type_matches', 'hookfast.events')";
    let others = database.text(before).await;
    assert_eq!(
        database.migrate(&later()).await.expect("an upgrade"),
        Migrated {
            migrations: 1,
            objects: 2
        }
    );
    assert_eq!(database.comment().await, "of the later release");
    database.execute("SELECT later FROM hookfast.events").await;
    assert_eq!(
        database.text(before).await,
        others,
        "the others are unchanged"
    );
    assert_eq!(
        database.migrate(&later()).await.expect("nothing to do"),
        NOTHING
    );
}

#[tokio::test]
async fn an_older_program_does_not_replace_functions_of_a_newer_schema() {
    let mut database = Upgraded::new().await;
    database.migrate(&later()).await.expect("an upgrade");
    assert_eq!(
        database
            .migrate(&Schema::of_this_program())
            .await
            .expect("it starts"),
        NOTHING
    );
    assert_eq!(database.comment().await, "of the later release");
    check_schema(&database.of)
        .await
        .expect("it runs on the newer schema");
}

#[tokio::test]
async fn a_release_that_changes_functions_alone_is_newer_too() {
    let mut database = Upgraded::new().await;
    let mut newer = build(FUNCTION, commented("newer"));
    newer.version += 1;
    assert_eq!(
        database.migrate(&newer).await.expect("an upgrade"),
        replaced(1)
    );
    assert_eq!(
        database
            .migrate(&Schema::of_this_program())
            .await
            .expect("it starts"),
        NOTHING
    );
    assert_eq!(database.comment().await, "newer");
}

#[tokio::test]
async fn of_two_builds_of_one_version_the_later_wins_once() {
    let mut database = Upgraded::new().await;
    let (first, second) = (
        Schema::of_this_program(),
        build(FUNCTION, commented("second")),
    );
    assert_eq!(
        database.migrate(&second).await.expect("the later build"),
        replaced(1)
    );
    for schema in [&first, &second, &first] {
        assert_eq!(
            database.migrate(schema).await.expect("each starts again"),
            NOTHING
        );
    }
    assert_eq!(database.comment().await, "second");
    check_schema(&database.of)
        .await
        .expect("the first runs on the functions of the second");
    // A third build that reverts the change, and has another of its own.
    let third = build(VIEW, |view| {
        format!("{view}COMMENT ON VIEW hookfast.events IS 'third';\n")
    });
    assert_eq!(
        database.migrate(&third).await.expect("the latest build"),
        replaced(2)
    );
    assert_ne!(database.comment().await, "second");
}

#[tokio::test]
async fn an_object_that_was_dropped_is_created_again() {
    let mut database = Upgraded::new().await;
    database
        .execute("DROP VIEW hookfast.retention_holds; DROP FUNCTION hookfast.retention_preview")
        .await;
    assert!(matches!(
        check_schema(&database.of).await,
        Err(MigrateError::Pending)
    ));
    assert_eq!(
        database
            .migrate(&Schema::of_this_program())
            .await
            .expect("repaired"),
        replaced(2)
    );
    database
        .execute("SELECT FROM hookfast.retention_holds; SELECT FROM hookfast.retention_preview()")
        .await;
}

/// A view of an application on one of Hookfast's views survives appended columns, and a change that
/// cannot be appended changes nothing at all.
#[tokio::test]
async fn a_view_only_appends_columns_and_its_dependents_stay() {
    let mut database = Upgraded::new().await;
    database
        .execute("CREATE VIEW public.theirs AS SELECT type FROM hookfast.events")
        .await;
    let mut inserting = build(FUNCTION, commented("never seen"));
    redefine(&mut inserting, VIEW, |view| {
        view.replace("    e.type,", "    'inserted' AS inserted,\n    e.type,")
    });
    let refused = database
        .migrate(&inserting)
        .await
        .expect_err("a column in the middle");
    assert!(matches!(refused, MigrateError::Object { .. }), "{refused}");
    assert!(
        refused
            .to_string()
            .starts_with("view hookfast.events could not be replaced"),
        "{refused}"
    );
    assert_ne!(
        database.comment().await,
        "never seen",
        "nothing of it was applied"
    );
    assert_eq!(
        database
            .migrate(&later())
            .await
            .expect("an appended column")
            .objects,
        2
    );
    database.execute("SELECT type FROM public.theirs").await;
}
