//! Inspects a database for everything that would make Hookfast fail or break a promise.

use super::{
    Database, Role, StoreError,
    connect::POOLED,
    error::within,
    owner::{FOREIGN, OWNER_OUT_OF_REACH},
};
use sqlx::Row;

/// The properties of a database that matter to Hookfast.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The version of the server as a number, such as 150018.
    pub version: i32,
    /// Whether the server is a standby.
    pub in_recovery: bool,
    /// Whether transactions are read-only, because of a standby or of a setting.
    pub read_only: bool,
    /// The encoding of the database.
    pub encoding: String,
    /// Whether this role may create the schemas, or both exist.
    pub may_migrate: bool,
    /// The owner of the schemas, if this role does not have its privileges.
    pub foreign_owner: Option<String>,
    /// Objects in the schemas that do not belong to the schemas' owner.
    pub foreign_objects: Option<ForeignObjects>,
    /// Whether this role is a superuser.
    pub superuser: bool,
    /// Settings of the server with which a webhook that was answered 200 can be lost, as `name =
    /// value`.
    pub not_durable: Vec<String>,
    /// Whether a commit waits for a synchronous standby.
    pub synchronous_standby: bool,
    /// Sequences of Hookfast that hand out numbers in blocks, by name.
    pub cached_sequences: Vec<String>,
    /// How many connections this role may have to this database.
    pub connections: ConnectionLimits,
    /// Whether the startup settings of a connection take effect: a pooler may drop them.
    pub settings_arrive: bool,
}

impl Inspection {
    /// Returns all problems, each with its remedy.
    pub fn problems(&self) -> Vec<String> {
        let version = self.version / 10_000;
        let when = |wrong: bool, text: &str| wrong.then(|| text.to_owned());
        let found = [
            when(version < 15, &format!("Postgres {version} is too old; Hookfast needs 15 or later")),
            when(self.in_recovery, "the server is a standby and read-only: point DATABASE_URL at the primary"),
            when(
                self.read_only && !self.in_recovery,
                "transactions are read-only (default_transaction_read_only), so nothing can be stored: turn it off, \
                 and check whether the disk is full",
            ),
            when(
                self.encoding != "UTF8",
                &format!(
                    "the database has the encoding {}, and payloads are UTF-8: create one with ENCODING 'UTF8' TEMPLATE template0",
                    self.encoding
                ),
            ),
            when(
                !self.may_migrate,
                "the role may not create schemas: GRANT CREATE ON DATABASE … TO … (needed once, for the migrations), or have both created for it: CREATE SCHEMA hookfast AUTHORIZATION …; CREATE SCHEMA hookfast_data AUTHORIZATION …",
            ),
            self.foreign_owner.as_ref().map(|owner| {
                format!(
                    "the schemas belong to {owner}, and this role does not have its rights: partitions for the next \
                     days cannot be created, and intake will stop within two weeks. Connect as {owner}, or GRANT \
                     {owner} TO this role"
                )
            }),
            when(
                !self.settings_arrive,
                "the server does not receive Hookfast's startup settings, so there is a pooler in between: a 200 \
                 could then mean an asynchronous commit. Connect directly",
            ),
        ];
        let not_durable = self.not_durable.iter().map(|setting| {
            format!("{setting}: a committed webhook may be lost when the machine fails. Turn it on")
        });
        found.into_iter().flatten().chain(not_durable).collect()
    }

    /// Warns about sequences that hand out numbers in blocks. Each connection takes a block, so a
    /// later delivery can have a lower id than one that was claimed already. A claim begins above
    /// the ids that are known to be finished.
    pub fn sequence_warning(&self) -> Option<String> {
        let names = self.cached_sequences.join(", ");
        (!names.is_empty()).then(|| {
            format!("{names}: with CACHE above 1 deliveries can wait for up to a minute, and their order is not that of their events. ALTER SEQUENCE … CACHE 1")
        })
    }

    /// Warns about a property that is not a problem but should be changed.
    pub fn superuser_warning(&self) -> Option<&'static str> {
        self.superuser.then_some(
            "the role is a superuser, which Hookfast never needs: a stolen password would give access to the whole \
             server. Give Hookfast a role of its own",
        )
    }
}

/// Objects in the schemas that do not belong to the schemas' owner.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ForeignObjects {
    /// The owner of the schemas.
    pub owner: String,
    /// The owners of these objects.
    pub owners: String,
    /// The statements that give these objects to the owner of the schemas.
    pub repair: String,
}

impl ForeignObjects {
    /// Describes the problem and its remedy.
    pub fn warning(&self) -> String {
        let Self {
            owner,
            owners,
            repair,
        } = self;
        format!(
            "objects in the schemas belong to {owners}, and the schemas to {owner}: functions that run with the rights of {owner} cannot use these objects, and {owner} cannot migrate them. As a member of {owners} and {owner}, run: {repair}"
        )
    }
}

const INSPECT: &str = "WITH ours AS (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('hookfast', 'hookfast_data')) \
    SELECT current_setting('server_version_num')::integer AS version, pg_is_in_recovery() AS in_recovery, \
        current_setting('transaction_read_only')::boolean AS read_only, current_setting('server_encoding') AS encoding, \
        has_database_privilege(current_database(), 'CREATE') OR (SELECT count(*) = 2 FROM ours) AS may_migrate, \
        (SELECT r.rolname::text FROM ours JOIN pg_catalog.pg_roles r ON r.oid = ours.nspowner \
            WHERE NOT pg_has_role(current_user, ours.nspowner, 'USAGE') LIMIT 1) AS foreign_owner, \
        (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AS superuser, \
        ARRAY(SELECT name || ' = ' || setting FROM pg_catalog.pg_settings \
            WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name) AS not_durable, \
        current_setting('synchronous_standby_names') <> '' AS synchronous_standby, \
        ARRAY(SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_sequence s \
            JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
            WHERE n.nspname = 'hookfast_data' AND s.seqcache > 1 ORDER BY 1) AS cached_sequences, \
        current_setting('jit') = 'off' AND current_setting('synchronous_commit') = 'on' AS settings_arrive";

/// The limits on the connections of this role to this database. Connections of other roles count
/// too.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// `max_connections`, without the connections that are reserved for others.
    pub server: i32,
    /// `CONNECTION LIMIT` of the role, if it has one.
    pub role: Option<i32>,
    /// `CONNECTION LIMIT` of the database, if it has one.
    pub database: Option<i32>,
}

impl ConnectionLimits {
    /// The lowest limit, with its name.
    pub fn lowest(&self) -> (&'static str, i32) {
        let role = self
            .role
            .map(|limit| ("the role's CONNECTION LIMIT", limit));
        let database = self
            .database
            .map(|limit| ("the database's CONNECTION LIMIT", limit));
        let server = ("the server's max_connections", self.server);
        [role, database]
            .into_iter()
            .flatten()
            .fold(
                server,
                |lowest, other| if other.1 < lowest.1 { other } else { lowest },
            )
    }
}

/// For a superuser only the limit of the server applies, and no connections are reserved for
/// others.
const CONNECTION_LIMITS: &str = "SELECT \
        current_setting('max_connections')::integer - CASE WHEN r.rolsuper THEN 0 \
            ELSE current_setting('superuser_reserved_connections')::integer \
                + coalesce(current_setting('reserved_connections', true)::integer, 0) END, \
        CASE WHEN NOT r.rolsuper THEN nullif(r.rolconnlimit, -1) END, \
        CASE WHEN NOT r.rolsuper THEN nullif(d.datconnlimit, -1) END \
    FROM pg_catalog.pg_roles r, pg_catalog.pg_database d \
    WHERE r.rolname = session_user AND d.datname = current_database()";

/// Inspects the database, and changes nothing.
///
/// # Errors
/// If the database cannot be queried.
pub async fn inspect(database: &Database) -> Result<Inspection, StoreError> {
    let mut connection = database.connect(Role::General).await?;
    let run = async {
        let row = sqlx::query(INSPECT)
            .fetch_one(&mut connection.inner)
            .await?;
        let limits = sqlx::query(CONNECTION_LIMITS)
            .fetch_one(&mut connection.inner)
            .await?;
        let out_of_reach = sqlx::query_scalar(OWNER_OUT_OF_REACH)
            .fetch_optional(&mut connection.inner)
            .await?;
        let foreign_objects = sqlx::query_as(FOREIGN)
            .fetch_optional(&mut connection.inner)
            .await?;
        Ok(Inspection {
            connections: ConnectionLimits {
                server: limits.try_get(0)?,
                role: limits.try_get(1)?,
                database: limits.try_get(2)?,
            },
            version: row.try_get("version")?,
            in_recovery: row.try_get("in_recovery")?,
            read_only: row.try_get("read_only")?,
            encoding: row.try_get("encoding")?,
            may_migrate: row.try_get("may_migrate")?,
            foreign_owner: row
                .try_get::<Option<String>, _>("foreign_owner")?
                .or(out_of_reach),
            foreign_objects,
            superuser: row.try_get("superuser")?,
            not_durable: row.try_get("not_durable")?,
            synchronous_standby: row.try_get("synchronous_standby")?,
            settings_arrive: row.try_get("settings_arrive")?,
            cached_sequences: row.try_get("cached_sequences")?,
        })
    };
    let inspected = within(POOLED, "inspect", run).await;
    connection.close().await;
    inspected
}
