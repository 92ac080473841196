//! Lets one role own everything in both schemas, because functions that run with its privileges use
//! every table and call every function. Another role may migrate if it is a member of the owner,
//! but the owner has to own the new objects.

use sqlx::PgConnection;

/// How long the session acts as the owner.
#[derive(Clone, Copy, Debug)]
pub(super) enum ActingFor {
    Transaction,
    /// Until [`act_as_session_user`].
    Session,
}

/// Changes nothing if this role is the owner, or if the schemas do not exist yet: the role that
/// creates them owns them.
const ACT_AS_OWNER: &str = "SELECT pg_catalog.set_config('role', r.rolname, $1) \
    FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner \
    WHERE n.nspname = 'hookfast_data' AND r.rolname <> current_user";

/// The owner of `hookfast_data`, if this session may not act as it. Since Postgres 16 a member of a
/// role may lack this right.
pub(super) const OWNER_OUT_OF_REACH: &str = "SELECT r.rolname::text \
    FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner \
    WHERE n.nspname = 'hookfast_data' AND r.rolname <> current_user AND NOT pg_catalog.pg_has_role(session_user, r.oid, \
        CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END)";

/// `session_user`, which the audit log records, does not change. A session acts as the owner only
/// while it creates objects: the owner may neither see nor end other sessions of this session's own
/// role.
///
/// # Errors
/// If this session may not act as the owner.
pub(super) async fn act_as_owner(
    connection: &mut PgConnection,
    acting: ActingFor,
) -> Result<(), sqlx::Error> {
    let is_local = matches!(acting, ActingFor::Transaction);
    sqlx::query(ACT_AS_OWNER)
        .persistent(false)
        .bind(is_local)
        .execute(connection)
        .await
        .map(drop)
}

/// Undoes [`act_as_owner`] for a session.
pub(super) async fn act_as_session_user(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("RESET ROLE")
        .execute(connection)
        .await
        .map(drop)
}

/// The objects in both schemas that do not belong to the owner of `hookfast_data`: the owner, the
/// other owners, and the statements that correct this. Indexes, and sequences of columns, follow
/// their tables.
pub(super) const FOREIGN: &str = "WITH owner AS ( \
        SELECT n.nspowner AS id FROM pg_catalog.pg_namespace n WHERE n.nspname = 'hookfast_data'), \
    ours AS (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('hookfast', 'hookfast_data')), \
    objects AS ( \
        SELECT 'SCHEMA' AS kind, n.nspname::text AS name, n.nspowner AS owner \
        FROM pg_catalog.pg_namespace n WHERE n.oid IN (SELECT oid FROM ours) \
        UNION ALL \
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' \
            ELSE 'TABLE' END, c.oid::regclass::text, c.relowner \
        FROM pg_catalog.pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours) \
            AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 \
                    AND c.relkind = 'S' AND d.deptype IN ('a', 'i')) \
        UNION ALL \
        SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner \
        FROM pg_catalog.pg_proc p WHERE p.pronamespace IN (SELECT oid FROM ours) \
        UNION ALL \
        SELECT 'TYPE', t.oid::regtype::text, t.typowner FROM pg_catalog.pg_type t \
        WHERE t.typnamespace IN (SELECT oid FROM ours) AND (t.typtype IN ('d', 'e') OR t.typtype = 'c' \
            AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))) \
    SELECT pg_catalog.pg_get_userbyid(w.id)::text AS owner, \
        string_agg(DISTINCT pg_catalog.pg_get_userbyid(o.owner)::text, ', ') AS owners, \
        string_agg(format('ALTER %s %s OWNER TO %I', o.kind, o.name, pg_catalog.pg_get_userbyid(w.id)), '; ' \
            ORDER BY o.kind, o.name) AS repair \
    FROM owner w JOIN objects o ON o.owner <> w.id GROUP BY w.id";
