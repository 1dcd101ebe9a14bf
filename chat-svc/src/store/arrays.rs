//! Statements over many rows at once, for PostgreSQL: one array per column.
//!
//! The text is the same however many rows there are, so a connection has it parsed and planned once. With a list of
//! values, as diesel writes it, every batch is another statement, of up to some thousand parameters, for that batch alone.

use std::marker::PhantomData;

use diesel::{
    pg::{Pg, PgConnection},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Nullable, Text},
};

/// One column of all rows.
pub(super) enum Column<'a> {
    Text(Vec<&'a str>),
    MaybeText(Vec<Option<&'a str>>),
    Number(Vec<i64>),
    MaybeNumber(Vec<Option<i64>>),
}

/// A statement with `?` where the columns stand, in their order; what it returns has the SQL types `Row`.
pub(super) struct Over<'a, Row = ()> {
    text: &'static str,
    columns: Vec<Column<'a>>,
    row: PhantomData<Row>,
}

impl<'a, Row> Over<'a, Row> {
    pub(super) fn new(text: &'static str, columns: impl Into<Vec<Column<'a>>>) -> Self {
        Self { text, columns: columns.into(), row: PhantomData }
    }
}

impl<Row> QueryFragment<Pg> for Over<'_, Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut columns = self.columns.iter();
        for (nth, text) in self.text.split('?').enumerate() {
            if nth > 0 {
                match columns.next() {
                    Some(Column::Text(values)) => out.push_bind_param::<Array<Text>, _>(values)?,
                    Some(Column::MaybeText(values)) => {
                        out.push_bind_param::<Array<Nullable<Text>>, _>(values)?;
                    }
                    Some(Column::Number(values)) => out.push_bind_param::<Array<BigInt>, _>(values)?,
                    Some(Column::MaybeNumber(values)) => {
                        out.push_bind_param::<Array<Nullable<BigInt>>, _>(values)?;
                    }
                    // The server says that a parameter is missing.
                    None => out.push_sql("?"),
                }
            }
            out.push_sql(text);
        }
        Ok(())
    }
}

impl<Row> Query for Over<'_, Row> {
    type SqlType = Row;
}

/// Prepared statements are kept by their text.
impl<Row> QueryId for Over<'_, Row> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> RunQueryDsl<PgConnection> for Over<'_, Row> {}
