//! `hookfast migrate`.

use super::{
    ConfigFile,
    declare::config,
    process::{database_url, say},
    words::counted,
};
use crate::domain::RoleNames;
use crate::store::{self, Database, Migrated, ObjectKind, Plan, Replaced, Role, Schema};
use anyhow::Context;
use std::{fmt::Write, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Migrate {
    /// Show what each pending migration does, locks and rewrites, without changing anything
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    file: ConfigFile,
}

impl Migrate {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let database: Database = database_url()?.parse()?;
        // An invalid configuration must not lead to a partial change.
        let names = config(self.file.config.as_deref())?.roles;
        if self.plan {
            say(described(&store::plan(&database, &Schema::of_this_program()).await?).trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        let Migrated {
            migrations,
            objects,
        } = store::migrate(&database).await?;
        store::check_schema(&database).await?;
        if store::inspect(&database).await?.read_only {
            say(&format!(
                "{database}: the schema fits this program; the server only reads, so partitions, roles and indexes were not changed"
            ));
            return Ok(ExitCode::SUCCESS);
        }
        let made = store::ensure_partitions(&database.pool(Role::General, 1)).await?;
        say(&format!(
            "{database}: {} applied, {} created or replaced, {} created; the schema fits this program",
            counted(migrations, "migrations"),
            counted(objects, "functions and views"),
            counted(made, "partitions")
        ));
        roles(&database, &names).await?;
        // This can take long on large tables. Nothing waits for it, and everything works without
        // it.
        match store::ensure_indexes(&database).await {
            Ok(0) => {}
            Ok(built) => say(&format!(
                "{} built",
                if built == 1 {
                    "1 index".to_owned()
                } else {
                    format!("{built} indexes")
                }
            )),
            Err(error) => say(&format!(
                "not every index could be built ({error}); everything works without them, and workers try again every hour"
            )),
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn roles(database: &Database, names: &RoleNames) -> anyhow::Result<()> {
    let roles = store::ensure_roles(database, names).await.context(
        "the schema is migrated, but readers and operators could not be granted their privileges; run this as the owner of the schemas",
    )?;
    if !roles.created.is_empty() {
        say(&format!("roles created: {}", roles.created.join(", ")));
    }
    if !roles.granted.is_empty() {
        say(&format!("roles granted: {}", roles.granted.join(", ")));
    }
    if let Some(run) = roles.to_run() {
        say(&format!(
            "the roles for readers and operators are missing, and this role may not create them; have a role that may create roles run:\n\n{run}\n\nthen run hookfast migrate again, which grants them their privileges"
        ));
    }
    Ok(())
}

/// A plan as text for people.
fn described(plan: &Plan) -> String {
    let mut text = String::new();
    for (file, planned) in &plan.migrations {
        let locks: Vec<_> = planned
            .locks
            .iter()
            .map(|(table, mode)| format!("{table} ({mode})"))
            .collect();
        let listed = |names: Vec<String>| {
            if names.is_empty() {
                "nothing".to_owned()
            } else {
                names.join(", ")
            }
        };
        let _ = writeln!(
            text,
            "{file}\n    {}",
            planned.description.trim().replace('\n', "\n    ")
        );
        let _ = writeln!(text, "    locks:    {}", listed(locks));
        let _ = writeln!(
            text,
            "    rewrites: {}",
            listed(planned.rewrites.iter().cloned().collect())
        );
        let _ = writeln!(
            text,
            "    scans:    {}\n",
            listed(planned.scans.iter().cloned().collect())
        );
    }
    describe_objects(plan, &mut text);
    if plan.migrations.is_empty() && plan.objects.is_empty() {
        text.push_str("nothing to do: every migration of this program is applied\n");
    } else {
        text.push_str(
            "A migration waits for a lock for 100 ms at a time and lets other transactions pass before Hookfast retries it, so\n\
             ingest never waits longer than that and the time of the migration's own work, above.\n",
        );
    }
    if !plan.indexes.is_empty() {
        text.push_str("Indexes that are built afterwards, online (CREATE INDEX CONCURRENTLY):\n");
        for (name, on) in &plan.indexes {
            let _ = writeln!(text, "    {name} on {on}");
        }
    }
    text
}

fn describe_objects(plan: &Plan, text: &mut String) {
    let (existing, new): (Vec<&Replaced>, Vec<_>) =
        plan.objects.iter().partition(|replaced| replaced.exists);
    if !existing.is_empty() {
        text.push_str(
            "Functions and views that are replaced, all in one transaction after the migrations:\n",
        );
    }
    for replaced in existing {
        let locks = match replaced.object.kind() {
            ObjectKind::Function => "nothing",
            ObjectKind::View => {
                "the view itself (ACCESS EXCLUSIVE): its readers wait for some milliseconds"
            }
        };
        let _ = writeln!(text, "    {}\n        locks: {locks}", replaced.object);
    }
    if !new.is_empty() {
        let created = match new.len() {
            1 => "1 function or view is".to_owned(),
            count => format!("{count} functions and views are"),
        };
        let _ = writeln!(
            text,
            "{created} created after the migrations; nothing waits"
        );
    }
    if !plan.objects.is_empty() {
        text.push('\n');
    }
}
