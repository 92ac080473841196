//! The public SQL interface as data. The command line reads views and calls functions by it, and a
//! test compares it with the catalog of Postgres.

pub mod functions;
pub mod views;

/// A view of schema `hookfast`.
#[derive(Debug)]
pub struct View {
    /// Its name, without the schema.
    pub name: &'static str,
    /// The order in which people expect the rows, as an ORDER BY list.
    pub order: &'static str,
    /// Its columns, in their order.
    pub columns: &'static [Column],
}

/// A column of a view.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type, as `format_type` names it.
    pub sql_type: &'static str,
}

/// A function of schema `hookfast`.
#[derive(Debug)]
pub struct Function {
    /// Its name, without the schema.
    pub name: &'static str,
    /// Who calls it.
    pub caller: Caller,
    /// Its input parameters, in their order.
    pub parameters: &'static [Parameter],
}

/// Who calls a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Everybody who may read: it changes nothing.
    Reader,
    /// Everybody who may read: it changes the caller's own access to the console, and nothing else.
    Person,
    /// The support desk, and operators: it changes or reveals something of one event or order, and
    /// needs a reason for the audit log.
    Support,
    /// An operator: it changes something, and needs a reason for the audit log.
    Operator,
    /// An application or a pulling client.
    Application,
    /// The console's login, and nobody else.
    Console,
}

/// An input parameter of a function.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub sql_type: &'static str,
    /// Whether it has no default.
    pub is_required: bool,
}

const fn column(name: &'static str, sql_type: &'static str) -> Column {
    Column { name, sql_type }
}

const fn required(name: &'static str, sql_type: &'static str) -> Parameter {
    Parameter {
        name,
        sql_type,
        is_required: true,
    }
}

const fn optional(name: &'static str, sql_type: &'static str) -> Parameter {
    Parameter {
        name,
        sql_type,
        is_required: false,
    }
}

impl Caller {
    /// Whether its functions take the reason for the audit log.
    pub fn needs_reason(self) -> bool {
        matches!(self, Self::Support | Self::Operator)
    }
}

impl View {
    /// Whether the view has this column.
    pub fn has(&self, column: &str) -> bool {
        self.type_of(column).is_some()
    }

    /// The type of a column, if the view has it.
    pub fn type_of(&self, column: &str) -> Option<&'static str> {
        let column = self.columns.iter().find(|known| known.name == column);
        column.map(|column| column.sql_type)
    }
}

impl Function {
    /// Whether the function has this parameter.
    pub fn takes(&self, parameter: &str) -> bool {
        self.parameters.iter().any(|known| known.name == parameter)
    }
}
